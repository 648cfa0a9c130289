// Jobs that ended, as the store keeps them: readable by id and as a list while history is kept, never in memory. A job is
// forgotten whole, with its token and its events. How much is kept is decided in `retention.ts`.
import type { StoredEvent } from '../core/event.ts'
import type { JobRecord } from '../core/job.ts'
import { endedKey, eventKey, historyKey, lastPart, tokenKey, within } from './store/keys.ts'
import { decodeEnded, decodeEvent, forgetEventOperations, forgetOperations } from './store/records.ts'
import { Turns } from './turns.ts'
import type { Operation, Store } from './store/store.ts'

export interface Page {
  readonly jobs: readonly JobRecord[]
  /** Where the next page begins, or `null` where there is none. */
  readonly next: string | null
}

/** A page ends here, however many jobs were asked for: an answer is made in one piece, and everybody waits for it. */
const charactersPerPage = 512 * 1024
/** A batch of what is forgotten ends here, since what others commit waits behind it. */
const operationsPerBatch = 1000
/** Jobs that are looked at side by side. Fewer are forgotten more slowly than one user can end them, more hold up the calls of others. */
const jobsAtOnce = 25

/** A job that ended, as the order of them has it. */
export interface Ended {
  readonly id: string
  readonly ownerId: string
  /** When it ended, in the time that the service has seen pass. */
  readonly servedAt: number
  /** Names it to `forget`. */
  readonly key: string
}

export class History {
  readonly #store: Store
  /** One page of a caller at a time. */
  readonly #turns = new Turns()

  readonly #listeners: ((jobId: string) => void)[] = []

  constructor(store: Store) {
    this.#store = store
  }

  onForgotten(listener: (jobId: string) => void): void {
    this.#listeners.push(listener)
  }

  async get(id: string): Promise<JobRecord | null> {
    const text = await this.#store.get(endedKey(id))
    return text === null ? null : decodeEnded(text)
  }

  async findToken(ownerId: string, token: string): Promise<string | null> {
    return await this.#store.get(tokenKey(ownerId, token))
  }

  /** Ended jobs of an owner (`null`: of all), those that ended first come first. */
  list(callerId: string, ownerId: string | null, after: string | null, limit: number, isWanted: (job: JobRecord) => boolean): Promise<Page> {
    return Promise.resolve(this.#turns.run(callerId, () => this.#list(ownerId, after, limit, isWanted)))
  }

  async #list(ownerId: string | null, after: string | null, limit: number, isWanted: (job: JobRecord) => boolean): Promise<Page> {
    const prefix = ownerId === null ? 'h/' : `h/${ownerId}/`
    const { lt, gte } = within(prefix)
    const jobs: JobRecord[] = []
    let characters = 0
    for await (const [key] of this.#store.read(after === null ? { gte, lt } : { gt: after, lt })) {
      const text = await this.#store.get(endedKey(lastPart(key)))
      const job = text === null ? null : decodeEnded(text)
      if (!job || !isWanted(job)) continue
      if (jobs.length === limit || characters > charactersPerPage) return { jobs, next: keyOf(jobs.at(-1)) }
      jobs.push(job)
      characters += text?.length ?? 0
    }
    return { jobs, next: null }
  }

  /** Stored events after a sequence number, in order. */
  async *events(afterSequence: number): AsyncIterable<StoredEvent> {
    for await (const [, text] of this.#store.read({ gt: eventKey(afterSequence), lt: within('e/').lt })) yield decodeEvent(text)
  }

  /** Every job that ended, owner by owner, those that ended first come first. */
  async *all(): AsyncIterable<Ended> {
    for await (const [key, servedAt] of this.#store.read(within('h/'))) {
      const [, ownerId = '', , id = ''] = key.split('/')
      yield { id, ownerId, servedAt: Number(servedAt), key }
    }
  }

  /** Forgets the jobs of an owner that ended first. No two of these, nor of `forget`, may run at a time. */
  async forgetOldest(ownerId: string, count: number): Promise<void> {
    const keys: string[] = []
    for await (const [key] of this.#store.read({ ...within(`h/${ownerId}/`), limit: count })) keys.push(key)
    await this.forget(keys)
  }

  /** Forgets these jobs that ended. */
  async forget(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += jobsAtOnce) await this.#forget(keys.slice(from, from + jobsAtOnce))
  }

  async #forget(keys: readonly string[]): Promise<void> {
    const batch = this.#batch()
    const found = await Promise.all(keys.map(async (key) => ({ key, job: await this.get(lastPart(key)), events: await this.#eventsOf(lastPart(key)) })))
    for (const { key, job, events } of found) {
      for (const sequence of events) await batch.add(forgetEventOperations(lastPart(key), sequence))
      await batch.add(job ? forgetOperations(job) : [{ type: 'del', key }])
    }
    await batch.end()
    for (const key of keys) for (const listener of this.#listeners) listener(lastPart(key))
  }

  /** Forgets the events of before an instant that nobody knows the job of any more: neither the queue nor the history. */
  async forgetEvents(before: number, isLive: (jobId: string) => boolean): Promise<void> {
    const batch = this.#batch()
    for await (const [, text] of this.#store.read(within('e/'))) {
      const { at, jobId, sequence } = decodeEvent(text)
      if (at >= before) break
      // The clock may be wrong: the job decides, not the instant, which only saves asking for all of them.
      if (isLive(jobId) || await this.#store.get(endedKey(jobId)) !== null) continue
      await batch.add(forgetEventOperations(jobId, sequence))
    }
    await batch.end()
  }

  /** Forgets all events of a job but the last `count` and those that are needed. */
  async forgetEventsOf(jobId: string, count: number, needed: () => readonly StoredEvent[]): Promise<void> {
    const batch = this.#batch()
    const old = (await this.#eventsOf(jobId)).slice(0, -count)
    const kept = new Set(needed().map(({ sequence }) => sequence))
    for (const sequence of old) if (!kept.has(sequence)) await batch.add(forgetEventOperations(jobId, sequence))
    await batch.end()
  }

  async #eventsOf(jobId: string): Promise<number[]> {
    const sequences: number[] = []
    for await (const [key] of this.#store.read(within(`i/${jobId}/`))) sequences.push(Number(lastPart(key)))
    return sequences
  }

  /** What is added together is committed together. */
  #batch(): { readonly add: (operations: readonly Operation[]) => Promise<void>; readonly end: () => Promise<void> } {
    let gathered: Operation[] = []
    const end = async (): Promise<void> => {
      const operations = gathered
      gathered = []
      if (operations.length > 0) await this.#store.commit(operations)
    }
    const add = async (operations: readonly Operation[]): Promise<void> => {
      gathered.push(...operations)
      if (gathered.length >= operationsPerBatch) await end()
    }
    return { add, end }
  }
}

function keyOf(job: JobRecord | undefined): string | null {
  return job ? historyKey(job.owner.id, job.endedAt ?? 0, job.number, job.id) : null
}
