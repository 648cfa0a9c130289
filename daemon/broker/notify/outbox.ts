// What is still to be told, to whom, and in which order. Every stored event that nobody acknowledged has a delivery
// to the registration that it belongs to, as long as there is one; a new registration gets deliveries of its own (the
// replay). A result acknowledges; anything else means again, after a growing delay, or the job's notify command
// instead. Invariant: an event leaves the queue only when it was acknowledged or somebody has ended its job.
//
// The states of a delivery: `waiting` for those before it (rule 8), `in-line` for one of the user's calls (rule 4),
// `under-way`, and `delayed` after a call that was not acknowledged.
import { hasEnded } from '../../../protocol/job.ts'
import { raises, type JobRecord } from '../../core/job.ts'
import type { Log } from '../../log.ts'
import { DueTimes } from '../clock.ts'
import type { Queue } from '../queue.ts'
import type { CallLines } from './call-lines.ts'
import { isCommandKind, type Commands } from './command.ts'
import { callbackOf, isDeliveredEvent, lastToTell, presentEvent, replayOf, type DeliveredEvent, type Views } from './delivery.ts'
import type { Registration, Registrations } from './registrations.ts'
import { retryDelayMs, type CallbackSettings } from './settings.ts'

export interface OutboxOptions {
  readonly queue: Queue
  /** Also of a job that ended with something to tell. */
  readonly jobOf: (jobId: string) => JobRecord | null
  readonly views: Views
  readonly registrations: Registrations
  readonly lines: CallLines
  readonly commands: Commands
  readonly acknowledge: (event: DeliveredEvent) => Promise<boolean>
  readonly settings: () => CallbackSettings
  readonly log: Log
}

interface Delivery {
  readonly event: DeliveredEvent
  readonly registration: Registration
  /** Told because the registration is new, whoever else is or was told. */
  readonly isReplay: boolean
  state: 'waiting' | 'in-line' | 'under-way' | 'delayed'
  calls: number
  isDropped: boolean
}

export class Outbox {
  readonly #options: OutboxOptions
  /** Of each job, in the order of sequence. */
  readonly #byJob = new Map<string, Delivery[]>()
  readonly #jobsOf = new Map<Registration, Set<string>>()
  readonly #delayed = new Map<string, Delivery>()
  /** Sequence numbers of what was answered, while that is being written: whoever answered may leave before it is. */
  readonly #answeredNow = new Set<number>()
  readonly #due: DueTimes
  #closed = false

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#due = new DueTimes((key) => this.#becameDue(key))
  }

  /** Something about the job or the registrations has changed: sees to it that each event is on its way to whom it belongs. */
  settle(jobId: string): void {
    const job = this.#options.jobOf(jobId)
    if (!job || this.#isOver(job)) return this.forget(jobId)
    const { queue, registrations, commands } = this.#options
    const unacknowledged = queue.unacknowledgedOf(jobId)
    if (unacknowledged.length === 0 && !this.#byJob.has(jobId)) return
    this.#prune(job)
    const onTheWay = new Set(this.#byJob.get(jobId)?.map(({ event }) => event.sequence))
    const last = this.#lastToTell(job)
    for (const event of unacknowledged) {
      if (!isDeliveredEvent(event) || !raises(job, event.kind) || onTheWay.has(event.sequence) || this.#answeredNow.has(event.sequence) || commands.has(event.sequence)) continue
      const registration = registrations.of(job, event.kind)
      if (registration) this.#add(event, registration, false)
      else if (isCommandKind(event.kind) && event.sequence <= last) commands.start(event)
    }
    this.#advance(job)
  }

  /** Makes the deliveries that a new registration gets at once, and says how many; `begin` then starts them. */
  replay(registration: Registration, jobs: Iterable<JobRecord>): { readonly count: number; readonly begin: () => void } {
    const { queue, registrations } = this.#options
    const told: { readonly event: DeliveredEvent; readonly job: JobRecord }[] = []
    for (const job of jobs) {
      for (const delivery of [...this.#byJob.get(job.id) ?? []]) {
        const { kind } = delivery.event
        if (delivery.registration !== registration && registration.kinds.has(kind) && registrations.of(job, kind) === registration) this.#drop(delivery)
      }
      for (const event of replayOf(job, queue.unacknowledgedOf(job.id), registration.kinds)) told.push({ event, job })
    }
    told.sort((a, b) => a.event.sequence - b.event.sequence)
    for (const { event } of told) this.#add(event, registration, true)
    // First what nobody acknowledged, so that a program which dies of something old gets that far.
    const isNew = (id: string): boolean => queue.unacknowledgedOf(id).length > 0
    const jobIds = [...new Set(told.map(({ job }) => job.id))]
    const inOrder = [...jobIds.filter(isNew), ...jobIds.filter((id) => !isNew(id))]
    return { count: told.length, begin: () => { for (const id of inOrder) this.settle(id) } }
  }

  /** The registration is over; what it had not acknowledged goes to whom it belongs now. */
  ended(registration: Registration): void {
    const jobIds = this.#jobsOf.get(registration)
    this.#jobsOf.delete(registration)
    for (const id of jobIds ?? []) {
      for (const delivery of [...this.#byJob.get(id) ?? []]) if (delivery.registration === registration) this.#drop(delivery)
      if (!this.#closed) this.settle(id)
    }
  }

  /** Is anybody being told of the job, or waits to be? */
  has(jobId: string): boolean {
    return this.#byJob.has(jobId)
  }

  #isOver(job: JobRecord): boolean {
    return hasEnded(job.state) && this.#options.queue.unacknowledgedOf(job.id).length === 0
  }

  forget(jobId: string): void {
    for (const delivery of [...this.#byJob.get(jobId) ?? []]) this.#drop(delivery)
    for (const jobIds of this.#jobsOf.values()) jobIds.delete(jobId)
  }

  close(): void {
    this.#closed = true
    this.#due.close()
  }

  #add(event: DeliveredEvent, registration: Registration, isReplay: boolean): void {
    const delivery: Delivery = { event, registration, isReplay, state: 'waiting', calls: 0, isDropped: false }
    const ofJob = this.#byJob.get(event.jobId) ?? []
    const before = ofJob.findLastIndex((other) => other.event.sequence <= event.sequence)
    this.#byJob.set(event.jobId, ofJob.toSpliced(before + 1, 0, delivery))
    const jobs = this.#jobsOf.get(registration) ?? new Set()
    this.#jobsOf.set(registration, jobs.add(event.jobId))
  }

  #drop(delivery: Delivery): void {
    const { jobId } = delivery.event
    delivery.isDropped = true
    this.#due.clear(keyOf(delivery))
    this.#delayed.delete(keyOf(delivery))
    const left = this.#byJob.get(jobId)?.filter((other) => other !== delivery) ?? []
    if (left.length > 0) this.#byJob.set(jobId, left)
    else this.#byJob.delete(jobId)
  }

  #prune(job: JobRecord): void {
    const pending = this.#pendingOf(job)
    for (const delivery of this.#byJob.get(job.id) ?? []) {
      if (delivery.state !== 'under-way' && !this.#isWanted(job, delivery, pending)) this.#drop(delivery)
    }
  }

  #pendingOf(job: JobRecord): ReadonlySet<number> {
    return new Set(this.#options.queue.unacknowledgedOf(job.id).map(({ sequence }) => sequence))
  }

  #isWanted(job: JobRecord, { event, registration, isReplay }: Delivery, pending: ReadonlySet<number>): boolean {
    if (!raises(job, event.kind) || !this.#options.registrations.covers(registration, job)) return false
    if (pending.has(event.sequence)) return true
    // What a new registration is told of the past, it is told although somebody else acknowledged it meanwhile.
    return isReplay && (!isCommandKind(event.kind) || presentEvent(job)?.sequence === event.sequence)
  }

  #lastToTell(job: JobRecord): number {
    const { queue, registrations } = this.#options
    return lastToTell(job, queue.unacknowledgedOf(job.id), registrations.of(job, 'file-transferred') !== null)
  }

  /** Puts into line what may be told now: at one endpoint an event comes after those of the job before it were sent. */
  #advance(job: JobRecord): void {
    if (this.#closed) return
    const last = this.#lastToTell(job)
    const busy = new Set<object>()
    for (const delivery of this.#byJob.get(job.id) ?? []) {
      if (delivery.event.sequence > last) break
      const { endpoint, caller } = delivery.registration
      if (delivery.state === 'waiting' && !busy.has(endpoint)) {
        delivery.state = 'in-line'
        this.#options.lines.ask(caller.id, 'first', () => this.#call(delivery))
      }
      if (delivery.calls === 0) busy.add(endpoint)
    }
  }

  #call(delivery: Delivery): Promise<void> | null {
    const { jobOf, views, settings } = this.#options
    const { event, registration } = delivery
    if (delivery.isDropped || this.#closed) return null
    const job = jobOf(event.jobId)
    if (!job || this.#isOver(job) || !this.#isWanted(job, delivery, this.#pendingOf(job))) {
      this.#drop(delivery)
      this.settle(event.jobId)
      return null
    }
    delivery.state = 'waiting'
    if (event.sequence > this.#lastToTell(job)) return null
    delivery.state = 'under-way'
    delivery.calls++
    const { deliveryId, sequence } = event
    const callback = callbackOf(event, { registrationId: registration.id, deliveryId, sequence, attempt: delivery.calls }, job, views)
    const answered = callback
      ? registration.endpoint.call(callback.method, callback.params, settings().answerTimeoutSeconds * 1000)
      : Promise.resolve(true)
    this.#advance(job)
    return answered.then((isAnswered) => void this.#answered(delivery, isAnswered))
  }

  async #answered(delivery: Delivery, isAnswered: boolean): Promise<void> {
    const { event } = delivery
    if (!isAnswered) return this.#notAcknowledged(delivery)
    this.#answeredNow.add(event.sequence)
    const isWritten = await this.#options.acknowledge(event).finally(() => this.#answeredNow.delete(event.sequence))
    if (!isWritten) return this.#notAcknowledged(delivery)
    this.#drop(delivery)
    this.settle(event.jobId)
  }

  #notAcknowledged(delivery: Delivery): void {
    const { jobOf, commands, settings, log } = this.#options
    const { event, registration, calls } = delivery
    if (this.#closed) return
    const job = jobOf(event.jobId)
    log.debug({ jobId: event.jobId, kind: event.kind, attempt: calls }, 'a callback was not acknowledged')
    if (!delivery.isDropped && job && isCommandKind(event.kind) && job.options.notify.command) {
      this.#drop(delivery)
      commands.start(event)
    }
    if (!delivery.isDropped && !registration.endpoint.isEnded) {
      delivery.state = 'delayed'
      this.#delayed.set(keyOf(delivery), delivery)
      this.#due.set(keyOf(delivery), retryDelayMs(settings(), calls))
    }
    this.settle(event.jobId)
  }

  #becameDue(key: string): void {
    const delivery = this.#delayed.get(key)
    this.#delayed.delete(key)
    if (!delivery) return
    delivery.state = 'waiting'
    this.settle(delivery.event.jobId)
  }
}

function keyOf({ event, registration }: Delivery): string {
  return `${registration.id} ${event.sequence}`
}
