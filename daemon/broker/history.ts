// Jobs that ended, as the store keeps them: readable by id and as a list while history is kept, never in memory.
import type { StoredEvent } from '../core/event.ts'
import type { JobRecord } from '../core/job.ts'
import { endedKey, eventKey, historyKey, tokenKey, within } from './store/keys.ts'
import { decodeEnded, decodeEvent, forgetOperations } from './store/records.ts'
import { Turns } from './turns.ts'
import type { Operation, Store } from './store/store.ts'

export interface Page {
  readonly jobs: readonly JobRecord[]
  /** Where the next page begins, or `null` where there is none. */
  readonly next: string | null
}

/** A page ends here, however many jobs were asked for: an answer is made in one piece, and everybody waits for it. */
const charactersPerPage = 512 * 1024

export class History {
  readonly #store: Store
  /** One page of a caller at a time. */
  readonly #turns = new Turns()

  constructor(store: Store) {
    this.#store = store
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
      const text = await this.#store.get(endedKey(key.slice(key.lastIndexOf('/') + 1)))
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

  /** Forgets what ended before an instant, and the events of before then, except those of jobs that are still there. */
  async forget(before: number, isLive: (jobId: string) => boolean): Promise<number> {
    let forgotten = 0
    for await (const [key] of this.#store.read(within('h/'))) {
      const [, , endedAt = '', id = ''] = key.split('/')
      if (Number(endedAt.split('-')[0]) >= before) continue
      const job = await this.get(id)
      await this.#store.commit(job ? forgetOperations(job) : [{ type: 'del', key }])
      forgotten++
    }
    let old: Operation[] = []
    for await (const [key, text] of this.#store.read(within('e/'))) {
      const event = decodeEvent(text)
      if (event.at >= before) break
      if (!isLive(event.jobId)) old.push({ type: 'del', key })
      if (old.length >= 1000) {
        await this.#store.commit(old)
        old = []
      }
    }
    if (old.length > 0) await this.#store.commit(old)
    return forgotten
  }
}

function keyOf(job: JobRecord | undefined): string | null {
  return job ? historyKey(job.owner.id, job.endedAt ?? 0, job.number, job.id) : null
}
