// Gives slots to jobs and takes them back, and does what becomes due: retries, the no-progress timeout, the maximum
// download time, time slices. It decides nothing itself (`core/schedule.ts` does) and never polls: it looks again when
// a job has changed or a time has come.
import { failure, failureContexts, type FailureCode } from '../../protocol/failures.ts'
import type { JobError } from '../../protocol/job.ts'
import type { JobRecord } from '../core/job.ts'
import { Ready } from '../core/ready.ts'
import { remainingMs } from '../core/recovery.ts'
import { decide, whyWaiting, type Running, type Slots } from '../core/schedule.ts'
import { isMoving, transition, type Happening } from '../core/transitions.ts'
import type { Log } from '../log.ts'
import { DueTimes, now } from './clock.ts'
import type { JobClocks } from './job-clocks.ts'
import type { Queue } from './queue.ts'

export interface SchedulerOptions {
  readonly queue: Queue
  readonly clocks: JobClocks
  readonly slots: () => Slots
  readonly timeSliceSeconds: () => number
  readonly start: (jobId: string) => void
  /** A job that is being completed or cancelled gets no slot. */
  readonly isHeld: (jobId: string) => boolean
  readonly log: Log
}

type DueKind = 'retry' | 'stuck' | 'busy' | 'slice'

export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #ready = new Ready()
  readonly #running = new Map<string, Running>()
  readonly #due: DueTimes
  #isLooking = false
  #closed = false

  constructor(options: SchedulerOptions) {
    this.#options = options
    this.#due = new DueTimes((key) => this.#becameDue(key))
    for (const job of options.queue.all()) this.#take(job, true)
    options.queue.onCommitted(({ after }) => this.#take(after, false))
  }

  /** Why a queued job does not move. */
  whyWaiting(job: JobRecord): 'slot' | 'priority' {
    return whyWaiting(job.priority, [...this.#running.values()], this.#ready)
  }

  /** The job is not held any more. */
  released(job: JobRecord): void {
    this.#take(job, false)
  }

  /** Looks again: the slots or a limit have changed. */
  look(): void {
    if (this.#isLooking || this.#closed) return
    this.#isLooking = true
    setImmediate(() => {
      this.#isLooking = false
      this.#decide()
    })
  }

  /** Gives no more slots. */
  close(): void {
    this.#closed = true
    this.#due.close()
  }

  #take(job: JobRecord, isStart: boolean): void {
    const { id, state, priority } = job
    if (state === 'queued' && !this.#options.isHeld(id)) this.#ready.add({ id, priority, ownerId: job.owner.id })
    else this.#ready.remove(id)
    this.#takeRunning(job)
    if (state === 'transient-error' && job.error) this.#setRetry(job, job.error, isStart)
    else {
      this.#due.clear(`retry ${id}`)
      this.#due.clear(`stuck ${id}`)
    }
    this.look()
  }

  #takeRunning(job: JobRecord): void {
    const { id, priority } = job
    const present = this.#running.get(id)
    if (!isMoving(job.state)) {
      if (!this.#running.delete(id)) return
      this.#due.clear(`slice ${id}`)
      this.#due.clear(`busy ${id}`)
    } else if (!present) {
      this.#running.set(id, { id, priority, ownerId: job.owner.id, sliceOver: false })
      this.#due.set(`slice ${id}`, this.#options.timeSliceSeconds() * 1000)
    } else if (present.priority !== priority) this.#running.set(id, { ...present, priority })
    // Each time, since the option may have been changed.
    if (isMoving(job.state)) this.#setBusy(job)
  }

  #setRetry(job: JobRecord, error: JobError, isStart: boolean): void {
    const delayMs = (error.retryAt ?? error.at) - error.at
    const timeoutMs = job.options.noProgressTimeoutSeconds * 1000
    const retryKey = `retry ${job.id}`
    // The wall clock counts only across a restart.
    if (isStart) this.#due.set(retryKey, remainingMs(error.retryAt ?? 0, now(), delayMs))
    else if (!this.#due.has(retryKey)) this.#due.set(retryKey, delayMs)
    this.#due.set(`stuck ${job.id}`, Math.max(0, timeoutMs - this.#options.clocks.troubledForMs(job.id)))
  }

  #setBusy(job: JobRecord): void {
    const limitMs = job.options.maximumDownloadTimeSeconds * 1000
    this.#due.set(`busy ${job.id}`, Math.max(0, limitMs - job.busyMs - this.#options.clocks.spentMs(job.id)))
  }

  #becameDue(key: string): void {
    const [kind, id] = key.split(' ') as [DueKind, string]
    const job = this.#options.queue.get(id)
    const running = this.#running.get(id)
    if (!job) return
    if (kind === 'slice') {
      if (running) this.#running.set(id, { ...running, sliceOver: true })
      this.look()
    } else if (kind === 'retry') this.#happen(id, { kind: 'retry-due' })
    else if (kind === 'stuck') this.#stuck(job)
    else this.#busyTooLong(job)
  }

  #stuck(job: JobRecord): void {
    const last = job.error?.message ?? 'unknown'
    this.#happen(job.id, { kind: 'no-progress', error: errorOf('no-progress', `No byte came within the no-progress timeout. The last failure: ${last}`) })
  }

  #busyTooLong(job: JobRecord): void {
    const limitMs = job.options.maximumDownloadTimeSeconds * 1000
    // The option was raised meanwhile.
    if (job.busyMs + this.#options.clocks.spentMs(job.id) < limitMs) return this.#setBusy(job)
    this.#happen(job.id, { kind: 'busy-too-long', error: errorOf('maximum-download-time', 'The job has been connecting and transferring for its maximum download time.') })
  }

  #decide(): void {
    if (this.#closed) return
    const { give, take } = decide([...this.#running.values()], this.#ready, this.#options.slots())
    for (const id of take) this.#happen(id, { kind: 'slot-taken' })
    for (const id of give) this.#give(id)
  }

  #give(id: string): void {
    // It counts as running at once, so that the next look does not give the slot twice.
    const job = this.#options.queue.get(id)
    this.#ready.remove(id)
    if (!job) return
    let given = false
    void this.#change(id, (present) => {
      const next = transition(present, { kind: 'slot-given' }, now())
      given = next !== null
      // That it has started at all must be known after a crash: there may be a partial file then.
      return next && { ...next, durable: !present.started }
    }).then(() => { if (given) this.#options.start(id) })
  }

  #happen(id: string, happening: Happening): void {
    const { clocks } = this.#options
    void this.#change(id, (job) => {
      const next = transition(job, happening, now(), clocks.spentMs(id))
      // Back in the queue: nothing that must survive; its progress is recorded by the transfers.
      return next && { ...next, durable: happening.kind !== 'slot-taken' && happening.kind !== 'retry-due' }
    })
  }

  async #change(id: string, step: Parameters<Queue['change']>[1]): Promise<void> {
    try {
      await this.#options.queue.change(id, step)
    } catch (error) {
      if (this.#closed) return
      this.#options.log.warn({ err: error, jobId: id }, 'a due change of a job could not be made; it is tried again')
      const job = this.#options.queue.get(id)
      if (job) setTimeout(() => { if (!this.#closed) this.#take(job, false) }, 1000).unref()
    }
  }
}

function errorOf(code: FailureCode, message: string): JobError {
  const { httpStatus } = failure(code, message)
  return { context: failureContexts[code], code, message, fileIndex: null, httpStatus, at: now(), fatal: true, retryAt: null }
}
