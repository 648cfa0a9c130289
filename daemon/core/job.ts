// The job record that the broker keeps, and how a new one is made. A record is never changed: a change makes the
// next one. What a client may see of it is in `view.ts`; how it moves from state to state in `transitions.ts`.
import type { FileSpec, JobError, JobState, JobType, Owner, Priority, Validation } from '../../protocol/job.ts'
import { defaultOptions, mergeOptions, type EventKind, type JobOptions, type PartialOptions } from '../../protocol/options.ts'

/** What the store keeps of a file's transfer; `resumePoint` is the worker's own note and only he reads more than the sizes. */
export interface FileProgress {
  readonly resumePoint: ResumePoint | null
  /** The most bytes that were ever here, where a start over left fewer. */
  readonly furthest?: number | undefined
  /** Every byte is here, verified and flushed. */
  readonly done: boolean
  /** The file lies under its local name. */
  readonly published: boolean
  readonly validation: Validation
}

export interface ResumePoint {
  readonly inode: string
  readonly bytesTotal: number | null
  readonly durable: readonly (readonly [number, number])[]
  readonly validator: { readonly etag: string | null; readonly lastModified: string | null } | null
  readonly modifiedAt: number | null
  readonly doubted?: true | undefined
  readonly place?: {
    readonly boot: string
    readonly device: string
    readonly folder: string
    readonly written?: readonly (readonly [number, number])[] | undefined
  } | undefined
}

export interface FileRecord {
  readonly index: number
  readonly remoteName: string
  /** The origin that the owner named, where redirects were reported and the remote name became another: secrets are for that one. */
  readonly home?: string | undefined
  readonly localName: string
  readonly ranges: FileSpec['ranges'] | null
  readonly checksum: FileSpec['checksum'] | null
  readonly progress: FileProgress
}

/** The event that told of the job's present state; replayed to new registrations as long as the state lasts. */
export interface StateEvent {
  readonly kind: 'transferred' | 'error'
  readonly deliveryId: string
  readonly sequence: number
}

/** Whoever gave the first `files` files their local names, as the system's databases had him when he lost the job. */
export interface FormerOwner {
  readonly uid: number
  readonly groups: readonly number[]
  readonly files: number
}

export interface JobRecord {
  readonly id: string
  /** Rises with every job made; the order of lists. */
  readonly number: number
  readonly type: JobType
  readonly displayName: string
  readonly description: string
  readonly application: string | null
  readonly owner: Owner
  /** Made by somebody whom no limit binds; it uses up nobody's room. */
  readonly exempt: boolean
  readonly clientToken: string | null
  readonly state: JobState
  readonly priority: Priority
  readonly createdAt: number
  readonly modifiedAt: number
  readonly transferredAt: number | null
  readonly endedAt: number | null
  readonly error: JobError | null
  readonly errorCount: number
  /** When somebody touched it last, or when it last made recorded progress, in the time that the service has seen pass. */
  readonly servedAt: number
  /** When its owner was warned that it is about to be given up, in the same time. */
  readonly warnedAt: number | null
  /** The first transient error since the last new byte, in the same time; the no-progress timeout counts from here. */
  readonly troubledSince: number | null
  /** Time in connecting and transferring since the last resume, as far as it was recorded. */
  readonly busyMs: number
  readonly options: JobOptions
  readonly files: readonly FileRecord[]
  readonly stateEvent: StateEvent | null
  /** There once the job was taken over: what each owner before could not have written himself, nobody writes for his names. */
  readonly former?: readonly FormerOwner[] | undefined
  /** The job has had a slot: there may be partial files, recorded or not. */
  readonly started: boolean
  /** The job ended, but its partial files are not all removed yet. */
  readonly cleaning: boolean
  /** Somebody completes the job: its files may have their local names already, whatever the rest of the record says. */
  readonly publishing?: true | undefined
}

export interface NewJob {
  readonly id: string
  readonly number: number
  readonly owner: Owner
  readonly exempt: boolean
  readonly now: number
  readonly displayName: string
  readonly type: JobType
  readonly description: string
  readonly application: string | null
  readonly priority: Priority
  readonly options: PartialOptions
  readonly clientToken: string | null
  readonly files: readonly FileSpec[]
}

export const untouched: FileProgress = { resumePoint: null, done: false, published: false, validation: 'none' }

export function newJob(from: NewJob): JobRecord {
  const { id, number, owner, exempt, now, displayName, type, description, application, priority, clientToken } = from
  return {
    id, number, type, displayName, description, application, owner, exempt, clientToken, priority,
    state: 'suspended',
    createdAt: now, modifiedAt: now, transferredAt: null, endedAt: null,
    error: null, errorCount: 0, servedAt: 0, warnedAt: null, troubledSince: null, busyMs: 0,
    options: mergeOptions(defaultOptions, from.options),
    files: newFiles(from.files, 0),
    stateEvent: null,
    started: false,
    cleaning: false,
  }
}

export function newFiles(specs: readonly FileSpec[], firstIndex: number): FileRecord[] {
  return specs.map(({ remoteName, localName, ranges, checksum }, at) => ({
    index: firstIndex + at, remoteName, localName, ranges: ranges ?? null, checksum: checksum ?? null, progress: untouched,
  }))
}

export function withFile(job: JobRecord, index: number, change: (file: FileRecord) => FileRecord): JobRecord {
  const file = job.files[index]
  return file ? { ...job, files: job.files.with(index, change(file)) } : job
}

export function withProgress(job: JobRecord, index: number, progress: Partial<FileProgress>): JobRecord {
  return withFile(job, index, (file) => ({ ...file, progress: { ...file.progress, ...progress } }))
}

/**
 * More bytes than there ever were end the trouble, also where nobody was told of them in between. A file that starts over
 * brings the same bytes once more: they are no progress.
 */
export function withResumePoint(job: JobRecord, index: number, resumePoint: ResumePoint | null): JobRecord {
  const before = furthestOf(job, index)
  const here = durableBytes(resumePoint)
  const moved = withProgress(job, index, { resumePoint, furthest: here < before ? before : undefined })
  return here > before ? { ...moved, troubledSince: null } : moved
}

/** The most bytes of a file that were ever here. */
export function furthestOf(job: JobRecord, index: number): number {
  const progress = job.files[index]?.progress ?? untouched
  return progress.furthest ?? durableBytes(progress.resumePoint)
}

/** These files lie under these names now, by index. */
export function withPublished(job: JobRecord, names: ReadonlyMap<number, string>): JobRecord {
  return { ...job, files: job.files.map((file) => {
    const localName = names.get(file.index)
    return localName === undefined ? file : { ...file, localName, progress: { ...file.progress, published: true, validation: 'valid' } }
  }) }
}

/** Where the files lie that were published. */
export function publishedFiles(job: JobRecord): { index: number; localName: string }[] {
  return job.files.filter(({ progress }) => progress.published).map(({ index, localName }) => ({ index, localName }))
}

/** Its files are published as soon as all are here. */
export function publishesItself(job: JobRecord): boolean {
  return job.options.completion === 'automatic'
}

export function isDone(job: JobRecord): boolean {
  return job.files.every((file) => file.progress.done)
}

/**
 * The name of a file's partial file, beside its local name. It follows from the job's id, which is random and its
 * owner's alone to know, so it need not be recorded before the file exists and cannot be guessed by others.
 */
export function temporaryName(jobId: string, fileIndex: number): string {
  return `BH${jobId.replaceAll('-', '').slice(0, 16)}${fileIndex.toString(16).padStart(2, '0')}.tmp`
}

/** For the worker: whom the local name of this file may come from besides the owner. `undefined`: from nobody. */
export function formerOwnersOf(job: JobRecord, file: FileRecord): { uid: number; groups: number[] }[] | undefined {
  return job.former?.filter(({ files }) => file.index < files).map(({ uid, groups }) => ({ uid, groups: [...groups] }))
}

/** Is a file so large that it is worth going on with it after a crash before the first checkpoint? */
export function isLarge({ bytesTotal }: ResumePoint): boolean {
  return bytesTotal === null || bytesTotal >= 1024 * 1024
}

/** Does the store need to know this of a file that is on its way, or will the next point do? */
export function isWorthStoring(job: JobRecord, index: number, now: ResumePoint | null): boolean {
  const before = job.files[index]?.progress.resumePoint ?? null
  if (before?.inode !== now?.inode || durableBytes(before) !== durableBytes(now)) return true
  // Bytes that do not come one after the other any more must not be taken for such.
  return (before?.place?.written === undefined) !== (now?.place?.written === undefined)
}

/** Bytes of the partial file that are known to be flushed. */
export function durableBytes(resumePoint: ResumePoint | null): number {
  return resumePoint ? resumePoint.durable.reduce((sum, [from, to]) => sum + to - from, 0) : 0
}

export function raises(job: JobRecord, kind: EventKind): boolean {
  return job.options.notify.events.includes(kind)
}
