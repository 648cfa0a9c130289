// One file from a URL to a path: create, resume, follow, complete. Creating carries a client token and completing
// looks at the job first, so every step may be repeated after a lost connection or a restart of the daemon; the
// file appears once, whole, under its name. A job that fails is left as it is unless asked otherwise: its
// bytes may be worth going on from.
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import type { Checksum, Job, JobError, Priority } from '../protocol/job.ts'
import type { ParamsSent } from '../protocol/methods.ts'
import type { PartialOptions } from '../protocol/options.ts'
import { Refusal } from '../protocol/refusals.ts'
import { followJob, persist, type Line } from './follow.ts'

export interface DownloadOptions {
  /** At the start, about twice a second, and at the end. */
  readonly onProgress?: (progress: Job['progress'], job: Job) => void
  /** Stops waiting; rejects with the signal's reason. What becomes of the job says `onAbort`. */
  readonly signal?: AbortSignal
  /** Default `cancel`. With `leave` the job goes on without us. */
  readonly onAbort?: 'cancel' | 'leave'
  /** What becomes of a job that came to a fatal error. Default `leave`: it can be resumed; it counts as a job until cancelled. */
  readonly onFailure?: 'cancel' | 'leave'
  /** A mismatch is a fatal error, and the file does not appear. */
  readonly checksum?: Checksum
  /** Default `foreground`: somebody waits. */
  readonly priority?: Priority
  /** Default: the last segment of the URL. */
  readonly displayName?: string
  readonly description?: string
  readonly application?: string
  /** Names this download over restarts of your own program, too: the same token finds the job of the first time. */
  readonly clientToken?: string
  /** Header values are secrets: no answer shows them. */
  readonly headers?: Readonly<Record<string, string>>
  /** Default: `minimumRetryDelaySeconds` 5, as somebody waits; else as the daemon has them. */
  readonly options?: PartialOptions
  /** How long the daemon may be away, in seconds. Default 120. */
  readonly daemonAwaySeconds?: number
}

export interface Downloaded {
  /** Absolute; with `onConflict: 'rename'` the name that the file got. */
  readonly path: string
  readonly job: Job
}

/** The job came to a fatal error, or was cancelled by somebody else (then `error` is `null`). */
export class JobFailed extends Error {
  readonly job: Job
  readonly error: JobError | null

  constructor(job: Job) {
    super(job.error?.message ?? 'The job was cancelled.')
    this.name = 'JobFailed'
    this.job = job
    this.error = job.error
  }
}

/** Rejects with `JobFailed`, with `Refusal`, or with the signal's reason. */
export async function downloadFile(line: Line, url: string | URL, path: string, options: DownloadOptions = {}): Promise<Downloaded> {
  const { onProgress, signal, daemonAwaySeconds } = options
  const localName = resolve(path)
  const job = await startJob(line, String(url), localName, options)
  try {
    const onChange = onProgress && ((changed: Job) => onProgress(changed.progress, changed))
    const { job: last } = await followJob(line, job.id, { onChange, signal, daemonAwaySeconds })
    if (last.state === 'error' || last.state === 'cancelled') throw new JobFailed(last)
    const ended = await completeJob(line, last, options)
    return { path: last.options.onConflict === 'rename' ? await nameOfFile(line, job.id, options) : localName, job: ended }
  } catch (error) {
    const isAborted = signal?.aborted === true
    const isUnwanted = isAborted ? options.onAbort !== 'leave' : error instanceof JobFailed && error.error !== null && options.onFailure === 'cancel'
    if (isUnwanted) await line.call('job.cancel', { jobId: job.id }).catch(ignoreRefusal)
    throw error
  }
}

async function startJob(line: Line, url: string, localName: string, options: DownloadOptions): Promise<Job> {
  const { signal, checksum, priority = 'foreground', displayName = nameOf(url), description, application, headers } = options
  signal?.throwIfAborted()
  const params: ParamsSent<'job.create'> = {
    displayName, priority, description, application, resume: true,
    files: [{ remoteName: url, localName, checksum }],
    options: { minimumRetryDelaySeconds: 5, ...options.options, ...(headers && { http: { ...options.options?.http, headers: { ...headers } } }) },
    clientToken: options.clientToken ?? randomUUID(),
  }
  // Not given up by the signal before the answer: a job that nobody knows of would go on.
  const { job, created } = await persist(line, () => line.call('job.create', params), options)
  const isStanding = job.state === 'suspended' || job.state === 'error'
  return !created && isStanding ? (await line.call('job.resume', { jobId: job.id })).job : job
}

/** Repeatable: when the answer was lost, the state of the job says whether it was done. */
export function completeJob(line: Line, job: Job, options: Pick<DownloadOptions, 'daemonAwaySeconds'> = {}): Promise<Job> {
  return persist(line, async () => {
    const present = (await line.call('job.get', { jobId: job.id })).job
    if (present.state === 'acknowledged') return present
    if (present.state === 'cancelled') throw new JobFailed(present)
    return (await line.call('job.complete', { jobId: job.id })).job
  }, { daemonAwaySeconds: options.daemonAwaySeconds })
}

async function nameOfFile(line: Line, jobId: string, { daemonAwaySeconds }: DownloadOptions): Promise<string> {
  return (await persist(line, () => line.call('file.get', { jobId, fileIndex: 0 }), { daemonAwaySeconds })).file.localName
}

function nameOf(url: string): string {
  const last = URL.canParse(url) ? new URL(url).pathname.split('/').at(-1) : ''
  return last ? last.slice(0, 256) : 'download'
}

function ignoreRefusal(error: unknown): void {
  // The reason to stop is what the caller must learn; a job that is gone already needs no cancelling.
  if (!(error instanceof Refusal)) throw error
}
