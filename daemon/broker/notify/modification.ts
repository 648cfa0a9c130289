// `modification`: a flag for each job, not a record. While it is up, one call waits with the newest job inside, at
// least `options.notify.minimumIntervalMs` after the one before; what changes meanwhile is in that call too (contract
// §4 rule 5). Nothing is stored: it says nothing that must not be missed.
import { hasEnded } from '../../../protocol/job.ts'
import { callbackOfKind } from '../../../protocol/events.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import { raises, type JobRecord } from '../../core/job.ts'
import { DueTimes, monotonic } from '../clock.ts'
import type { Queue } from '../queue.ts'
import type { CallLines } from './call-lines.ts'
import type { Views } from './delivery.ts'
import type { Registration, Registrations } from './registrations.ts'
import { retryDelayMs, type CallbackSettings } from './settings.ts'

export interface ModificationsOptions {
  readonly queue: Queue
  readonly views: Views
  readonly registrations: Registrations
  readonly lines: CallLines
  readonly newId: () => string
  readonly settings: () => CallbackSettings
}

interface Flag {
  isUp: boolean
  /** Waiting for its time, in line, or under way. */
  isBusy: boolean
  calledAt: number
  /** The event whose last call was not acknowledged; a change that came since makes it another event. */
  failed: { readonly deliveryId: string; readonly sequence: number } | null
  failures: number
}

/** Numbers are given without being written, so now and then a block of them is reserved. */
const reserveEvery = 10_000

export class Modifications {
  readonly #options: ModificationsOptions
  readonly #flags = new Map<string, Flag>()
  readonly #due: DueTimes
  #given = 0
  #closed = false

  constructor(options: ModificationsOptions) {
    this.#options = options
    this.#due = new DueTimes((jobId) => this.#line(jobId))
  }

  raise(job: JobRecord): void {
    if (this.#closed || !this.#registrationFor(job)) return
    const flag = this.#flags.get(job.id) ?? { isUp: false, isBusy: false, calledAt: -Infinity, failed: null, failures: 0 }
    this.#flags.set(job.id, flag)
    flag.isUp = true
    flag.failed = null
    this.#wait(job, flag)
  }

  /** Somebody new is to be told: what waits for another try of the old endpoint does not wait for that any more. */
  restart(job: JobRecord): void {
    const flag = this.#flags.get(job.id)
    if (!flag || flag.failures === 0) return
    flag.failures = 0
    if (!this.#due.has(job.id)) return
    flag.isBusy = false
    this.#wait(job, flag)
  }

  forget(jobId: string): void {
    this.#flags.delete(jobId)
    this.#due.clear(jobId)
  }

  close(): void {
    this.#closed = true
    this.#due.close()
  }

  #registrationFor(job: JobRecord): Registration | null {
    return raises(job, 'modification') && !hasEnded(job.state) ? this.#options.registrations.of(job, 'modification') : null
  }

  #wait(job: JobRecord, flag: Flag): void {
    if (!flag.isUp || flag.isBusy || this.#closed) return
    flag.isBusy = true
    const sinceCallMs = monotonic() - flag.calledAt
    const delayMs = flag.failures > 0 ? retryDelayMs(this.#options.settings(), flag.failures) : 0
    this.#due.set(job.id, Math.max(0, delayMs, job.options.notify.minimumIntervalMs - sinceCallMs))
  }

  #line(jobId: string): void {
    const job = this.#options.queue.get(jobId)
    const registration = job && this.#registrationFor(job)
    if (!registration) return this.forget(jobId)
    this.#options.lines.ask(registration.caller.id, 'last', () => this.#call(jobId, registration))
  }

  #call(jobId: string, asked: Registration): Promise<void> | null {
    const flag = this.#flags.get(jobId)
    const job = this.#options.queue.get(jobId)
    const registration = job && this.#registrationFor(job)
    if (!flag || !registration || this.#closed) {
      this.forget(jobId)
      return null
    }
    // Another user's turn: his line, not this one.
    if (registration.caller.id !== asked.caller.id) {
      this.#line(jobId)
      return null
    }
    return this.#tell(job, flag, registration)
  }

  async #tell(job: JobRecord, flag: Flag, registration: Registration): Promise<void> {
    const { queue, views, newId, settings } = this.#options
    const event = flag.failed ?? { deliveryId: newId(), sequence: queue.nextSequence() }
    flag.isUp = false
    flag.calledAt = monotonic()
    const params = { registrationId: registration.id, ...event, attempt: flag.failed ? flag.failures + 1 : 1, job: views.of(job) }
    const isReserved = ++this.#given % reserveEvery !== 0 || (await this.#reserve())
    const isAnswered = isReserved && (await registration.endpoint.call(callbackOfKind.modification, params, settings().answerTimeoutSeconds * 1000))
    if (this.#flags.get(job.id) !== flag) return
    flag.failures = isAnswered ? 0 : flag.failures + 1
    flag.failed = isAnswered || flag.isUp ? null : event
    flag.isUp ||= !isAnswered
    flag.isBusy = false
    this.#wait(queue.get(job.id) ?? job, flag)
  }

  async #reserve(): Promise<boolean> {
    try {
      await this.#options.queue.reserveSequence()
      return true
    } catch (error) {
      // The queue cannot be written now; this may be said later.
      if (error instanceof Refusal) return false
      throw error
    }
  }
}
