// The two ways in which a job's files come to rest: published under their local names, or removed. The broker only
// says which; a worker that runs as the owner does it. Both may be repeated after a crash.
import { hasEnded, type JobError } from '../../protocol/job.ts'
import { failureContexts } from '../../protocol/failures.ts'
import { Refusal } from '../../protocol/refusals.ts'
import { publishesItself, withPublished, type FileRecord, type JobRecord } from '../core/job.ts'
import { transition } from '../core/transitions.ts'
import { copyPath } from '../link/copy-name.ts'
import type { Log } from '../log.ts'
import { DueTimes, now } from './clock.ts'
import type { JobClocks } from './job-clocks.ts'
import type { Failures, Found, OwnerFiles } from './owner-files.ts'
import type { Queue } from './queue.ts'
import { RemovalRetries } from './removal-retries.ts'

export interface EndingOptions {
  readonly queue: Queue
  readonly ownerFiles: OwnerFiles
  readonly clocks: JobClocks
  /** Resolves when nothing of the job moves any more. */
  readonly stopTransfers: (jobId: string) => Promise<void>
  /** The job may be given a slot again. */
  readonly released: (job: JobRecord) => void
  readonly log: Log
}

interface Publication {
  /** What was published, and under which name. */
  readonly names: ReadonlyMap<number, string>
  readonly failed: readonly (Found & { readonly index: number; readonly localName: string })[]
}

const againMs = 60_000
const soonMs = 5000
const waitForRemovalMs = 15_000

export class Ending {
  readonly #options: EndingOptions
  readonly #held = new Set<string>()
  readonly #removals = new Map<string, Promise<void>>()
  readonly #again: DueTimes
  readonly #publications = new Set<Promise<void>>()
  readonly #publishAgain: DueTimes
  readonly #finishAgain: DueTimes
  readonly #finishing = new Map<string, Promise<{ job: JobRecord; partial: boolean }>>()
  #closed = false
  readonly #retries = new RemovalRetries()

  constructor(options: EndingOptions) {
    this.#options = options
    this.#again = new DueTimes((jobId) => void this.remove(jobId))
    this.#publishAgain = new DueTimes((jobId) => void this.completeByItself(jobId))
    this.#finishAgain = new DueTimes((jobId) => void this.finish(jobId))
  }

  /** A job that is held gets no slot. */
  isHeld(jobId: string): boolean {
    return this.#held.has(jobId)
  }

  /**
   * Gives the finished files their local names and ends the job. That it does so is recorded before the first name is given, so
   * that after a crash in the middle the next start ends what was begun.
   * @throws Refusal `publish-failed` with `files`; the job is as it was, and those that were published say so.
   * @throws Refusal `storage-full`: before anything was done, or with a sentence of its own after it; then the job ends later.
   */
  complete(jobId: string): Promise<{ job: JobRecord; partial: boolean }> {
    // Who asks again after a crash gets the answer to what the start is ending.
    return this.#finishing.get(jobId) ?? this.#complete(jobId)
  }

  async #complete(jobId: string): Promise<{ job: JobRecord; partial: boolean }> {
    const check = (job: JobRecord): void => void transition(job, { kind: 'published' }, now())
    return await this.atRest(jobId, async ({ publishing, files }) => {
      const isIntended = publishing === true || !files.some(({ progress }) => progress.done && !progress.published)
      if (!isIntended) await this.#options.queue.change(jobId, (present) => ({ job: { ...present, publishing: true } }))
      const { names, failed } = await this.#publish(jobId)
      const job = await this.#recordPublished(jobId, names, failed.length === 0)
      if (failed.length > 0) throw new Refusal('publish-failed', { files: failed })
      return { job, partial: job.files.some(({ progress }) => !progress.published) }
    }, check)
  }

  /** What a start finds begun is ended: `complete`, for nobody who waits. */
  finish(jobId: string): Promise<void> {
    const publication = this.#finish(jobId).finally(() => this.#publications.delete(publication))
    this.#publications.add(publication)
    return publication
  }

  async #finish(jobId: string): Promise<void> {
    if (this.#closed) return
    const completion = this.#complete(jobId)
    this.#finishing.set(jobId, completion)
    try {
      await completion
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      // `storage-full` set the time for another try itself. Anything else is for the owner, who sees the job as it is.
      this.#options.log.warn({ jobId, kind: error.kind }, 'the completion of a job that was begun before could not be ended')
    } finally {
      this.#finishing.delete(jobId)
    }
  }

  async #recordPublished(jobId: string, names: ReadonlyMap<number, string>, isAll: boolean): Promise<JobRecord> {
    try {
      return await this.#options.queue.change(jobId, (present) => {
        const job = { ...withPublished(present, names), publishing: undefined }
        return isAll ? transition(job, { kind: 'published' }, now()) : { job }
      })
    } catch (error) {
      if (!(error instanceof Refusal && error.kind === 'storage-full') || names.size === 0) throw error
      this.#finishAgain.set(jobId, soonMs)
      throw new Refusal('storage-full', {}, 'The files have their local names, but the queue cannot be written at present: the job ends as soon as it can be.')
    }
  }

  /** For a job that does so as soon as all of it is here. What cannot be published makes it `error`; `job.resume` or `job.complete` tries again. */
  completeByItself(jobId: string): Promise<void> {
    const publication = this.#completeByItself(jobId).finally(() => this.#publications.delete(publication))
    this.#publications.add(publication)
    return publication
  }

  async #completeByItself(jobId: string): Promise<void> {
    if (this.#closed) return
    try {
      await this.atRest(jobId, async () => {
        const { names, failed: [failed] } = await this.#publish(jobId)
        if (failed?.code === 'worker-lost' && !this.#closed) this.#publishAgain.set(jobId, againMs)
        await this.#options.queue.change(jobId, (present) => {
          const job = withPublished(present, names)
          if (!isDue(present) || failed?.code === 'worker-lost') return { job }
          return transition(job, failed ? { kind: 'not-published', error: errorOf(failed) } : { kind: 'published' }, now())
        })
      }, refuseUnlessDue)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      // Somebody else ended the job, or the queue cannot be written now: publishing is repeated, which does no harm.
      if (error.kind === 'storage-full') this.#publishAgain.set(jobId, againMs)
    }
  }

  /** May the owner of this record, who need not be the job's yet, go on with the files? One failure, or null, for each. */
  probe(job: JobRecord, files: readonly FileRecord[]): Promise<Failures> {
    return files.length === 0 ? Promise.resolve([]) : this.#options.ownerFiles.ask(job, 'files.probe', files).then(({ failures }) => failures)
  }

  /** Acts while nothing of the job moves; afterwards it may have a slot again. `check` throws where that is not to begin at all. */
  async atRest<T>(jobId: string, act: (job: JobRecord) => Promise<T>, check: (job: JobRecord) => void = () => {}): Promise<T> {
    this.#held.add(jobId)
    try {
      await this.#options.queue.change(jobId, (job) => {
        check(job)
        const rested = transition(job, { kind: 'slot-taken' }, now(), this.#options.clocks.spentMs(jobId))
        return rested && { ...rested, durable: false }
      })
      await this.#options.stopTransfers(jobId)
      const job = this.#options.queue.get(jobId)
      if (!job) throw new Refusal('job-not-found')
      return await act(job)
    } finally {
      this.#held.delete(jobId)
      const job = this.#options.queue.get(jobId)
      if (job) this.#options.released(job)
    }
  }

  /** Removes the partial files of a job that has ended, then lets the history have it. Waits, but not for ever. */
  async removed(jobId: string): Promise<void> {
    const removal = this.#removals.get(jobId)
    if (!removal) return
    let timer: NodeJS.Timeout | undefined
    await Promise.race([removal, new Promise<void>((resolve) => { timer = setTimeout(resolve, waitForRemovalMs) })])
    clearTimeout(timer)
  }

  remove(jobId: string): Promise<void> {
    const removal = this.#removals.get(jobId) ?? this.#remove(jobId).finally(() => this.#removals.delete(jobId))
    this.#removals.set(jobId, removal)
    return removal
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#again.close()
    this.#publishAgain.close()
    this.#finishAgain.close()
    await Promise.all([...this.#removals.values(), ...this.#publications])
  }

  async #publish(jobId: string): Promise<Publication> {
    const job = this.#options.queue.get(jobId)
    if (!job) throw new Refusal('job-not-found')
    const files = job.files.filter(({ progress }) => progress.done && !progress.published)
    if (files.length === 0) return { names: new Map(), failed: [] }
    const { failures, copies } = await this.#options.ownerFiles.ask(job, 'files.publish', files)
    const mayRename = job.options.onConflict === 'rename'
    const names = files.flatMap(({ index, localName }, at) => (
      failures[at] === null ? [[index, copyPath(localName, mayRename ? copies?.[at] ?? 0 : 0)] as const] : []
    ))
    const failed = files.flatMap(({ index, localName }, at) => {
      const found = failures[at]
      return found ? [{ index, localName, code: found.code, message: found.message }] : []
    })
    return { names: new Map(names), failed }
  }

  async #remove(jobId: string): Promise<void> {
    await this.#options.stopTransfers(jobId)
    const job = this.#options.queue.get(jobId)
    if (!job || !hasEnded(job.state) || !job.cleaning) return
    const files = job.files.filter(({ progress }) => !progress.published)
    const { failures } = await this.#options.ownerFiles.ask(job, 'files.remove', files)
    const left = files.filter((_, at) => failures[at] !== null)
    if (left.length > 0) this.#options.log.warn({ jobId, files: left.length }, 'partial files of an ended job could not be removed')
    // What is not ours is nobody's to remove; anything else may pass.
    const mayPass = failures.some((found) => found !== null && found.code !== 'not-a-regular-file')
    const retryMs = mayPass ? this.#retries.next(jobId, job.owner.id) : null
    if (retryMs !== null) return this.#again.set(jobId, retryMs)
    this.#retries.done(jobId)
    try {
      await this.#options.queue.change(jobId, (present) => ({ job: { ...present, cleaning: false } }))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      // The queue cannot be written now: the removal is repeated, which does no harm.
      if (error.kind === 'storage-full') this.#again.set(jobId, againMs)
    }
  }
}

/** It completes itself, and nobody has done anything else about it meanwhile. */
function isDue(job: JobRecord): boolean {
  return job.state === 'transferred' && publishesItself(job)
}

function refuseUnlessDue(job: JobRecord): void {
  if (!isDue(job)) throw new Refusal('invalid-state', { state: job.state })
}

function errorOf({ code, message, index }: Publication['failed'][number]): JobError {
  return { context: failureContexts[code], code, message, fileIndex: index, httpStatus: null, at: now(), fatal: true, retryAt: null }
}
