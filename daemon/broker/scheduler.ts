// Gives slots to jobs and takes them back, and does what becomes due: retries, the no-progress timeout, the maximum
// download time, time slices. It decides nothing itself (`core/schedule.ts` does) and never polls: it looks again when
// a job has changed or a time has come.
import { failure, failureContexts, type FailureCode } from '../../protocol/failures.ts'
import type { JobError } from '../../protocol/job.ts'
import type { JobRecord } from '../core/job.ts'
import { Ready, type Waiting } from '../core/ready.ts'
import { remainingMs } from '../core/recovery.ts'
import { decide, isSlow, whyWaiting, type Running, type Slots } from '../core/schedule.ts'
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
  /** A job that moves less for a time slice gives way. */
  readonly minimumBytesPerSecond: () => number
  /** How many bytes of the job are here, and how fast it moves. */
  readonly progressOf: (job: JobRecord) => { readonly bytes: number; readonly bytesPerSecond: number }
  readonly start: (jobId: string) => void
  /** A job that is being completed or cancelled gets no slot. */
  readonly isHeld: (jobId: string) => boolean
  readonly log: Log
}

type DueKind = 'retry' | 'stuck' | 'busy' | 'slice' | 'slow'

export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #ready = new Ready()
  readonly #running = new Map<string, Running>()
  /** Bytes that were here when the time slice of a running job began. */
  readonly #sliceBegan = new Map<string, number>()
  /** Jobs that gave way because they hardly moved; after a time slice they count like any other. */
  readonly #slow = new Set<string>()
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
  whyWaiting(job: JobRecord): 'slot' | 'priority' | 'slow' {
    return whyWaiting(this.#waiting(job), [...this.#running.values()], this.#ready)
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
    const { id, state } = job
    if (state === 'queued' && !this.#options.isHeld(id)) this.#ready.add(this.#waiting(job))
    else this.#ready.remove(id)
    if (state !== 'queued' && !isMoving(state)) this.#forgetSlow(id)
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
      this.#sliceBegan.delete(id)
      this.#due.clear(`slice ${id}`)
      this.#due.clear(`busy ${id}`)
    } else if (!present) {
      this.#forgetSlow(id)
      this.#running.set(id, { id, priority, ownerId: job.owner.id, sliceOver: false, isSlow: false })
      this.#beginSlice(job)
    } else if (present.priority !== priority) this.#running.set(id, { ...present, priority })
    // Each time, since the option may have been changed.
    if (isMoving(job.state)) this.#setBusy(job)
  }

  #waiting({ id, priority, owner }: JobRecord): Waiting {
    return { id, priority, ownerId: owner.id, isSlow: this.#slow.has(id) }
  }

  #beginSlice(job: JobRecord): void {
    this.#sliceBegan.set(job.id, this.#options.progressOf(job).bytes)
    this.#due.set(`slice ${job.id}`, this.#options.timeSliceSeconds() * 1000)
  }

  /** The job goes on until somebody waits for its slot; how it moves is looked at again after as long. */
  #endSlice(job: JobRecord, running: Running): void {
    const { bytes, bytesPerSecond } = this.#options.progressOf(job)
    const moved = bytes - (this.#sliceBegan.get(job.id) ?? 0)
    const sliceSeconds = this.#options.timeSliceSeconds()
    const slow = isSlow({ moved, sliceSeconds, bytesPerSecond, minimum: this.#options.minimumBytesPerSecond() })
    this.#running.set(job.id, { ...running, sliceOver: true, isSlow: slow })
    this.#beginSlice(job)
    this.look()
  }

  #forgetSlow(id: string): void {
    if (this.#slow.delete(id)) this.#due.clear(`slow ${id}`)
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
      if (running) this.#endSlice(job, running)
    } else if (kind === 'slow') {
      this.#slow.delete(id)
      this.#take(job, false)
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
    for (const id of take) this.#takeSlot(id)
    for (const id of give) this.#give(id)
  }

  #takeSlot(id: string): void {
    if (this.#running.get(id)?.isSlow) {
      this.#slow.add(id)
      this.#due.set(`slow ${id}`, this.#options.timeSliceSeconds() * 1000)
    }
    this.#happen(id, { kind: 'slot-taken' })
  }

  #give(id: string): void {
    // It counts as running at once, so that the next look does not give the slot twice.
    const job = this.#options.queue.get(id)
    this.#ready.given(id)
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
