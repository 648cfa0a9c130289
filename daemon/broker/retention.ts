// Keeps what the store remembers bounded, the oldest being forgotten first: ended jobs by age and, of each owner, by number;
// the events of a job by number as long as it lives, with its record once it has ended. Invariant: an event that nobody
// acknowledged stays. What a commit adds is only counted; the store is looked at afterwards, for many commits at once, and
// all of it at the start and once a day.
import { hasEnded } from '../../protocol/job.ts'
import type { Log } from '../log.ts'
import { DueTimes, now } from './clock.ts'
import type { History } from './history.ts'
import type { Committed, Queue } from './queue.ts'
import { Turns } from './turns.ts'

export interface RetentionOptions {
  readonly queue: Queue
  readonly history: History
  readonly historyDays: () => number
  readonly historyJobsPerUser: () => number
  /** The time that the service has seen pass. */
  readonly served: () => number
  readonly log: Log
}

const dayMs = 86_400_000
/** From the start to the first look: when the start itself is over. */
const firstLookMs = 5000
/** What became too many within this time is forgotten in one go. */
const gatherMs = 1000
const againMs = 60_000
/** A live job keeps these, and may have as many again before the next look. More than its files and states make in ordinary use. */
const eventsPerJob = 500

type Look = 'all' | 'surplus'

export class Retention {
  readonly #options: RetentionOptions
  readonly #due = new DueTimes((key) => this.#begin(key as Look))
  readonly #turns = new Turns()
  /** How many ended jobs there are of each owner; `null` where they must be counted first. */
  #kept: Map<string, number> | null = null
  /** Jobs that ended while it is being counted, with their owners. */
  #meanwhile: Map<string, string> | null = null
  /** Events of live jobs that were stored since the last look. */
  readonly #stored = new Map<string, number>()
  #closed = false

  constructor(options: RetentionOptions) {
    this.#options = options
    options.queue.onCommitted((committed) => this.#take(committed))
    this.#due.set('all', firstLookMs)
  }

  /** The configuration may be another one. */
  look(): void {
    this.#due.set('all', 0)
  }

  /** A look that is under way ends with the store. */
  close(): void {
    this.#closed = true
    this.#due.close()
  }

  #take({ before, after, events }: Committed): void {
    if (this.#closed) return
    if (!hasEnded(after.state)) return this.#count(after.id, before === null, events.length)
    this.#stored.delete(after.id)
    if (after.cleaning) return
    const { id: ownerId } = after.owner
    this.#meanwhile?.set(after.id, ownerId)
    if (this.#kept && this.#add(this.#kept, ownerId, 1) > this.#options.historyJobsPerUser()) this.#surplus()
  }

  #count(jobId: string, isNew: boolean, events: number): void {
    if (events === 0) return
    // Of a job from before the start it is not known how many there are.
    const stored = (this.#stored.get(jobId) ?? (isNew ? 0 : eventsPerJob)) + events
    this.#stored.set(jobId, stored)
    if (stored > eventsPerJob) this.#surplus()
  }

  #surplus(): void {
    if (!this.#due.has('surplus')) this.#due.set('surplus', gatherMs)
  }

  /** One look at a time: a token that was forgotten may be another job's by the next one. */
  #begin(look: Look): void {
    void this.#turns.run('look', async () => {
      try {
        if (look === 'all') await this.#lookAtAll()
        else await this.#forgetSurplus()
      } catch (error) {
        if (this.#closed) return
        this.#options.log.warn({ err: error }, 'what is old could not be forgotten yet')
        // Some of it may have been.
        this.#kept = null
        this.#due.set('all', againMs)
      }
    })
  }

  async #lookAtAll(): Promise<void> {
    const { queue, history, historyDays } = this.#options
    this.#due.set('all', dayMs)
    const keptMs = historyDays() * dayMs
    const expired = await this.#countAll(this.#options.served() - keptMs)
    for (const [ownerId, keys] of expired) await this.#forgetJobs(ownerId, keys.length, () => history.forget(keys))
    await this.#forgetSurplus()
    await history.forgetEvents(now() - keptMs, (jobId) => queue.get(jobId) !== null)
    this.#options.log.debug({}, 'the history was looked through')
  }

  /** Counts the ended jobs of each owner, and gives back which of them ended before an instant. */
  async #countAll(before: number): Promise<ReadonlyMap<string, readonly string[]>> {
    const kept = new Map<string, number>()
    const expired = new Map<string, string[]>()
    const meanwhile = this.#meanwhile = new Map<string, string>()
    for await (const { id, ownerId, servedAt, key } of this.#options.history.all()) {
      // It was on disk before the look began, and we heard of it afterwards.
      meanwhile.delete(id)
      this.#add(kept, ownerId, 1)
      if (servedAt >= before) continue
      const keys = expired.get(ownerId) ?? []
      if (keys.push(key) === 1) expired.set(ownerId, keys)
    }
    for (const ownerId of meanwhile.values()) this.#add(kept, ownerId, 1)
    this.#meanwhile = null
    this.#kept = kept
    return expired
  }

  async #forgetSurplus(): Promise<void> {
    const { queue, history, historyJobsPerUser } = this.#options
    for (const [ownerId, count] of [...this.#kept ?? []]) {
      const surplus = count - historyJobsPerUser()
      await this.#forgetJobs(ownerId, surplus, () => history.forgetOldest(ownerId, surplus))
    }
    for (const [jobId, stored] of [...this.#stored]) {
      if (stored <= eventsPerJob) continue
      this.#stored.set(jobId, 0)
      await history.forgetEventsOf(jobId, eventsPerJob, () => queue.unacknowledgedOf(jobId))
    }
  }

  async #forgetJobs(ownerId: string, count: number, forget: () => Promise<void>): Promise<void> {
    if (count <= 0) return
    await forget()
    if (this.#kept) this.#add(this.#kept, ownerId, -count)
    this.#options.log.info({ owner: ownerId, jobs: count }, 'ended jobs were forgotten')
  }

  #add(counts: Map<string, number>, ownerId: string, number: number): number {
    const count = (counts.get(ownerId) ?? 0) + number
    if (count > 0) counts.set(ownerId, count)
    else counts.delete(ownerId)
    return count
  }
}
