// What a client may see of a job: the record, the bytes that are moving now, and why nothing moves. No secret
// leaves here: header values stay inside.
import { hasEnded, type File, type Job, type Reason } from '../../protocol/job.ts'
import { withoutSecrets } from '../../protocol/options.ts'
import { durableBytes, publishesItself, temporaryName, type FileRecord, type JobRecord } from './job.ts'

/** What is true only while the daemon runs: never stored, never waited for. */
export interface Live {
  /** Bytes of each file that is moving now, by index. */
  readonly bytesByFile: ReadonlyMap<number, number>
  readonly bytesPerSecond: number
  /** When the last byte came, on the wall clock; 0 before. */
  readonly progressAt: number
  /** For a queued job: what it is waiting for. */
  readonly blocked: Reason | null
}

export const still: Live = { bytesByFile: new Map(), bytesPerSecond: 0, progressAt: 0, blocked: null }

export function viewJob(job: JobRecord, live: Live): Job {
  const { bytesTotal, bytesTransferred, filesTransferred } = live.bytesByFile.size > 0 ? sumOf(job, live) : restingSumOf(job)
  return {
    id: job.id, type: job.type, displayName: job.displayName, description: job.description, application: job.application,
    owner: job.owner, state: job.state, priority: job.priority,
    createdAt: job.createdAt, modifiedAt: Math.max(job.modifiedAt, live.progressAt), transferredAt: job.transferredAt, endedAt: job.endedAt,
    progress: { bytesTotal, bytesTransferred, filesTotal: job.files.length, filesTransferred, bytesPerSecond: Math.round(live.bytesPerSecond) },
    error: job.error, errorCount: job.errorCount,
    waiting: explain(job, live)[0] ?? null,
    options: withoutSecrets(job.options),
  }
}

interface Sum {
  readonly bytesTotal: number | null
  readonly bytesTransferred: number
  readonly filesTransferred: number
}

// A list looks at every file of every job, and a record never changes: what does not move is summed once.
const restingSums = new WeakMap<JobRecord['files'], Sum>()

function restingSumOf(job: JobRecord): Sum {
  const known = restingSums.get(job.files)
  if (known) return known
  const sum = sumOf(job, still)
  restingSums.set(job.files, sum)
  return sum
}

/** Bytes of the job that are here, moving ones included. */
export function bytesHere(job: JobRecord, live: Live): number {
  return (live.bytesByFile.size > 0 ? sumOf(job, live) : restingSumOf(job)).bytesTransferred
}

function sumOf(job: JobRecord, live: Live): Sum {
  let bytesTotal: number | null = 0
  let bytesTransferred = 0
  let filesTransferred = 0
  for (const file of job.files) {
    const total = totalOf(file)
    bytesTotal = bytesTotal === null || total === null ? null : bytesTotal + total
    bytesTransferred += transferredOf(file, live)
    if (file.progress.done) filesTransferred++
  }
  return { bytesTotal, bytesTransferred, filesTransferred }
}

export function viewFile(job: JobRecord, file: FileRecord, live: Live): File {
  const { resumePoint, published, validation } = file.progress
  const present = !published && !hasEnded(job.state) && (resumePoint !== null || live.bytesByFile.has(file.index))
  return {
    index: file.index, remoteName: file.remoteName, localName: file.localName,
    progress: { bytesTotal: totalOf(file), bytesTransferred: transferredOf(file, live), completed: published },
    ranges: file.ranges ?? null,
    checksum: file.checksum ?? null,
    validation,
    temporaryName: present ? besides(file.localName, temporaryName(job.id, file.index)) : null,
  }
}

/** Why the job is not moving, the nearest cause first; empty while it moves. */
export function explain(job: JobRecord, live: Live): Reason[] {
  const reasons: Reason[] = []
  if (hasEnded(job.state)) reasons.push({ reason: 'ended', until: null, detail: job.state })
  if (job.state === 'suspended') reasons.push({ reason: 'suspended', until: null, detail: 'The job waits for job.resume.' })
  if (job.state === 'suspended' && job.files.length === 0) reasons.push({ reason: 'no-files', until: null, detail: 'The job has no files yet.' })
  if (job.state === 'transferred') reasons.push({ reason: 'transferred', until: null, detail: publishesItself(job) ? 'Every byte is here; the files get their names now.' : 'Every byte is here; the job waits for job.complete.' })
  if (job.state === 'error') reasons.push({ reason: 'error', until: null, detail: job.error?.message ?? null })
  if (job.state === 'transient-error') reasons.push({ reason: 'retry-delay', until: job.error?.retryAt ?? null, detail: job.error?.message ?? null })
  if (job.state === 'queued') reasons.push(live.blocked ?? { reason: 'slot', until: null, detail: 'The job waits for its turn.' })
  return reasons
}

function totalOf(file: FileRecord): number | null {
  const { resumePoint } = file.progress
  if (resumePoint) return resumePoint.bytesTotal
  const known = file.ranges?.every(({ length }) => length !== null)
  return known && file.ranges ? file.ranges.reduce((sum, { length }) => sum + (length ?? 0), 0) : null
}

function transferredOf(file: FileRecord, live: Live): number {
  return file.progress.done ? durableBytes(file.progress.resumePoint) : live.bytesByFile.get(file.index) ?? durableBytes(file.progress.resumePoint)
}

/** Text only; nothing is opened here. */
function besides(localName: string, name: string): string {
  return localName.slice(0, Math.max(localName.lastIndexOf('/'), localName.lastIndexOf('\\')) + 1) + name
}
