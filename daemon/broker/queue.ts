// The live jobs, and the only one who changes them. Changes of one job happen one after another, of different jobs
// side by side. The order inside is always: compute, commit, replace in memory, tell, answer. A change that only says
// that a transfer moves (connecting, transferring) is not committed: after a crash such a job is queued again.
import { hasEnded } from '../../protocol/job.ts'
import { Refusal } from '../../protocol/refusals.ts'
import { isStored, outlivesEnd, type StoredEvent } from '../core/event.ts'
import { newJob, type JobRecord, type NewJob } from '../core/job.ts'
import { checkFiles, checkJobCount, type Limits } from '../core/limits.ts'
import { recover } from '../core/recovery.ts'
import type { Effect, NewEvent, Transition } from '../core/transitions.ts'
import { now } from './clock.ts'
import { JobCounts } from './job-counts.ts'
import { JobIndex } from './job-index.ts'
import { PendingEvents } from './pending-events.ts'
import { Sequence } from './sequence.ts'
import type { QueueStore } from './queue-store.ts'
import type { Operation } from './store/store.ts'

export interface Change {
  readonly job: JobRecord
  readonly events?: readonly NewEvent[]
  readonly effects?: readonly Effect[]
  /** `false`: only the memory needs to know. */
  readonly durable?: boolean
  /** Its owner is told that nothing happens: that does not count as a touch. */
  readonly isWarning?: boolean
}

/** `limits`: the owner's own, where a policy gives him others. */
export type Wanted = Omit<NewJob, 'id' | 'number' | 'now'> & { readonly limits?: Limits }

/** What happened, after it is on disk. */
export interface Committed {
  readonly before: JobRecord | null
  readonly after: JobRecord
  readonly events: readonly StoredEvent[]
  readonly effects: readonly Effect[]
  /** Something a client can see has changed that is not told by a `transferred` or `error` event. */
  readonly modified: boolean
}

export interface QueueStart {
  readonly store: QueueStore
  readonly limits: () => Limits
  readonly newId: () => string
  /** The time that the service has seen pass. */
  readonly served: () => number
  readonly jobs: readonly JobRecord[]
  readonly unacknowledged: readonly StoredEvent[]
  /** Every sequence number given before the start is at most this. */
  readonly sequence: number
}

export class Queue {
  readonly #store: QueueStore
  readonly #limits: () => Limits
  readonly #newId: () => string
  readonly #served: () => number
  readonly #jobs = new JobIndex()
  readonly #lanes = new Map<string, Promise<unknown>>()
  readonly #tokens = new Map<string, Promise<string> | string>()
  readonly #counts = new JobCounts()
  readonly #sequence: Sequence
  readonly #pending = new PendingEvents()
  readonly #listeners: ((committed: Committed) => void)[] = []
  #closed = false

  constructor(start: QueueStart) {
    this.#store = start.store
    this.#limits = start.limits
    this.#newId = start.newId
    this.#served = start.served
    this.#sequence = new Sequence(start.sequence)
    for (const stored of start.jobs) {
      const job = recover(stored)
      this.#jobs.set(job)
      if (!hasEnded(job.state)) this.#counts.add(job)
      if (job.clientToken !== null) this.#tokens.set(tokenName(job.owner.id, job.clientToken), job.id)
    }
    for (const event of start.unacknowledged) this.#pending.add(event)
  }

  /** Told after each commit, in the order of commits of one job. */
  onCommitted(listener: (committed: Committed) => void): void {
    this.#listeners.push(listener)
  }

  get(id: string): JobRecord | null {
    return this.#jobs.get(id)
  }

  /** In the order of their creation, those with a higher number than this; not to be held while jobs change. */
  all(after = 0): IterableIterator<JobRecord> {
    return this.#jobs.after(after)
  }

  /** Events of the job that nobody has acknowledged, in the order of their sequence. */
  unacknowledgedOf(jobId: string): readonly StoredEvent[] {
    return this.#pending.of(jobId)
  }

  nextSequence(): number {
    return this.#sequence.next()
  }

  /** Must have resolved before a number is told to anybody. */
  async reserveSequence(): Promise<void> {
    await this.#commitWithSequence([])
  }

  /** Makes a job, all or nothing; the same token of the same owner answers the first job. */
  async add(wanted: Wanted, start: (job: JobRecord) => Transition | null): Promise<{ id: string; created: boolean }> {
    if (wanted.clientToken === null) return { id: await this.#add(wanted, start), created: true }
    const name = tokenName(wanted.owner.id, wanted.clientToken)
    const known = this.#tokens.get(name)
    if (known !== undefined) return { id: await known, created: false }
    let created = false
    const adding = this.#store.findToken(wanted.owner.id, wanted.clientToken).then(async (ended) => {
      if (ended !== null) return ended
      created = true
      return await this.#add(wanted, start)
    })
    this.#tokens.set(name, adding)
    try {
      const id = await adding
      if (created) this.#tokens.set(name, id)
      else this.#tokens.delete(name)
      return { id, created }
    } catch (error) {
      this.#tokens.delete(name)
      throw error
    }
  }

  async #add({ limits = this.#limits(), ...wanted }: Wanted, start: (job: JobRecord) => Transition | null): Promise<string> {
    this.#refuseWhenClosed()
    checkFiles(limits, 0, wanted.files, wanted.exempt)
    checkJobCount(limits, this.#counts.seenBy(wanted.owner.id), wanted.exempt)
    const made = newJob({ ...wanted, id: this.#newId(), number: this.nextSequence(), now: now() })
    const started = start(made)
    const job = started?.job ?? made
    this.#counts.add(job)
    try {
      const created: NewEvent = { kind: 'created', fileIndex: null, error: null }
      await this.#commit(null, { job, events: [created, ...(started?.events ?? [])], effects: started?.effects ?? [] })
    } catch (error) {
      this.#counts.remove(job)
      throw error
    }
    return job.id
  }

  /**
   * Changes a job in its turn. `decide` sees the job as it is then, and gives back the change, or `null` for none.
   * @throws Refusal what `decide` threw, `job-not-found`, `storage-full`, `shutting-down`
   */
  change(id: string, decide: (job: JobRecord) => Change | Transition | null): Promise<JobRecord> {
    const ahead = this.#lanes.get(id)
    const turn = ahead ? ahead.then(() => this.#change(id, decide)) : this.#change(id, decide)
    const settled: Promise<unknown> = turn.then(() => undefined, () => undefined).then(() => {
      if (this.#lanes.get(id) === settled) this.#lanes.delete(id)
    })
    this.#lanes.set(id, settled)
    return turn
  }

  async #change(id: string, decide: (job: JobRecord) => Change | Transition | null): Promise<JobRecord> {
    const before = this.#jobs.get(id)
    if (!before) throw new Refusal('job-not-found')
    const change = decide(before)
    if (!change) return before
    return await this.#commit(before, change)
  }

  async #commit(before: JobRecord | null, change: Change): Promise<JobRecord> {
    const stored = (change.durable === false ? [] : change.events ?? [])
      .filter((event) => isStored(change.job, event)).map((event) => this.#stamp(change.job, event))
    const told = stored.find(({ kind }) => kind === 'transferred' || kind === 'error')
    const touched: JobRecord = change.isWarning
      ? { ...change.job, warnedAt: this.#served() } : { ...change.job, servedAt: this.#served(), warnedAt: null }
    const after: JobRecord = told && (told.kind === 'transferred' || told.kind === 'error')
      ? { ...touched, stateEvent: { kind: told.kind, deliveryId: told.deliveryId, sequence: told.sequence } } : touched
    const obsolete = hasEnded(after.state) ? this.unacknowledgedOf(after.id).filter(({ kind }) => !outlivesEnd(after, kind)) : []
    if (change.durable !== false) {
      this.#refuseWhenClosed()
      await this.#commitWithSequence([
        ...this.#store.jobOperations(before, after),
        ...stored.flatMap((event) => this.#store.eventOperations(event)),
        ...obsolete.map(({ sequence }) => this.#store.acknowledgeOperation(sequence)),
      ])
    }
    this.#replace(before, after)
    this.#pending.remove(after.id, obsolete)
    for (const event of stored) this.#pending.add(event)
    const modified = told === undefined && !stored.some(({ kind }) => kind === 'created')
    for (const listener of this.#listeners) listener({ before, after, events: stored, effects: change.effects ?? [], modified })
    return after
  }

  /** Somebody was told of the event and said so. */
  async acknowledge(event: StoredEvent): Promise<void> {
    await this.#store.commit([this.#store.acknowledgeOperation(event.sequence)])
    this.#pending.remove(event.jobId, [event])
  }

  /** Jobs that ended by themselves and have events that nobody has acknowledged. */
  endedWithEvents(isWanted: (event: StoredEvent) => boolean): string[] {
    return this.#pending.jobs((event) => hasEnded(this.#jobs.get(event.jobId)?.state ?? 'acknowledged') && isWanted(event))
  }

  /** The history has forgotten the job, and its events with it. */
  readonly forgetEvents = (jobId: string): void => void (this.#jobs.get(jobId) ?? this.#pending.forget(jobId))

  /** From now on every change is refused; what is under way is finished. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#lanes.values())
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new Refusal('shutting-down')
  }

  #stamp(job: JobRecord, event: NewEvent & { kind: StoredEvent['kind'] }): StoredEvent {
    return { ...event, sequence: this.nextSequence(), deliveryId: this.#newId(), at: now(), jobId: job.id, ownerId: job.owner.id }
  }

  async #commitWithSequence(operations: readonly Operation[]): Promise<void> {
    const wanted = this.#sequence.wanted()
    if (wanted === null) return await this.#store.commit(operations)
    await this.#store.commit([...operations, this.#store.sequenceOperation(wanted)])
    this.#sequence.reserved(wanted)
  }

  #replace(before: JobRecord | null, after: JobRecord): void {
    if (before && !hasEnded(before.state)) this.#counts.remove(before)
    if (before && !hasEnded(after.state)) this.#counts.add(after)
    if (before && before.clientToken !== null && after.clientToken === null) this.#tokens.delete(tokenName(before.owner.id, before.clientToken))
    if (!hasEnded(after.state) || after.cleaning) this.#jobs.set(after)
    else {
      this.#jobs.delete(after.id)
      if (after.clientToken !== null) this.#tokens.delete(tokenName(after.owner.id, after.clientToken))
    }
  }
}

function tokenName(ownerId: string, token: string): string {
  return `${ownerId}/${token}`
}
