// Everything that the daemon needs in memory at its start: the jobs that have not ended, and the events that nobody
// acknowledged. A job of which a part is gone is not run; what was lost is said.
import type { Log } from '../../log.ts'
import type { StoredEvent } from '../../core/event.ts'
import type { FileProgress, JobRecord } from '../../core/job.ts'
import { endedKey, eventKey, metaKey, within } from './keys.ts'
import { isDamage, reasonOf } from './open.ts'
import { assemble, decodeEvent, decodeHead, decodeProgress } from './records.ts'
import type { Store } from './store.ts'

/** All of it is read, so in large pieces. */
const highWaterMarkBytes = 1024 * 1024
const askedAtOnce = 1000

export interface RepairableStore extends Store {
  /** What can be read of it is kept, and a copy of all. */
  repair(reason: string): Promise<void>
}

export interface Loaded {
  readonly jobs: readonly JobRecord[]
  readonly unacknowledged: readonly StoredEvent[]
  /** Every sequence number given so far is at most this. */
  readonly sequence: number
  /** How much time the service had seen pass; at least as much as any job knows of. */
  readonly served: number
}

/** @throws StoreUnusable where the store is damaged and repairing it does not help */
export async function load(store: RepairableStore, log: Log): Promise<Loaded> {
  try {
    return await loadAll(store, log)
  } catch (error) {
    if (!isDamage(error)) throw error
    await store.repair(reasonOf(error))
    return await loadAll(store, log)
  }
}

async function loadAll(store: Store, log: Log): Promise<Loaded> {
  const heads = await collect(store, 'j/')
  const progress = await collectProgress(store)
  // Only in a damaged store: that a job has ended outlived that its record was removed.
  const ended = await endedAmong(store, [...heads.keys()])
  for (const id of ended) log.error({ jobId: id }, 'a job that has ended came back; it is passed over')
  const jobs: JobRecord[] = []
  // The files are most of the queue, so their texts are not gathered.
  for await (const [key, text] of store.read({ ...within('f/'), highWaterMarkBytes })) {
    const id = key.slice(2)
    const head = heads.get(id)
    heads.delete(id)
    if (head === undefined) log.error({ jobId: id }, 'a job was lost: only its files are left in the queue')
    else if (!ended.has(id)) jobs.push(assemble(decodeHead(head), text, progress.get(id) ?? new Map<number, FileProgress>()))
  }
  for (const id of heads.keys()) if (!ended.has(id)) log.error({ jobId: id }, 'a job was lost: its files are not in the queue any more')
  jobs.sort((a, b) => a.number - b.number)
  const served = jobs.reduce((most, { servedAt }) => Math.max(most, servedAt), await loadServed(store))
  return { jobs, unacknowledged: await loadUnacknowledged(store, log), sequence: await loadSequence(store), served }
}

async function loadServed(store: Store): Promise<number> {
  return Number((await store.get(metaKey.served)) ?? 0)
}

/** The end of the reserved block; where that is lost, the numbers of what is there stand for it. */
async function loadSequence(store: Store): Promise<number> {
  let last = Number((await store.get(metaKey.sequence)) ?? 0)
  for await (const [key] of store.read({ ...within('e/'), reverse: true, limit: 1 })) last = Math.max(last, Number(key.slice(2)))
  return last
}

/** Asked for many at a time: one by one each would wait for the one before. */
async function endedAmong(store: Store, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const ended = new Set<string>()
  for (let from = 0; from < ids.length; from += askedAtOnce) {
    const asked = ids.slice(from, from + askedAtOnce)
    const found = await store.getMany(asked.map(endedKey))
    for (const [at, id] of asked.entries()) if (found[at] !== null) ended.add(id)
  }
  return ended
}

async function collect(store: Store, prefix: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const [key, text] of store.read({ ...within(prefix), highWaterMarkBytes })) found.set(key.slice(prefix.length), text)
  return found
}

async function collectProgress(store: Store): Promise<Map<string, Map<number, FileProgress>>> {
  const found = new Map<string, Map<number, FileProgress>>()
  for await (const [key, text] of store.read({ ...within('p/'), highWaterMarkBytes })) {
    const [, id = '', index = ''] = key.split('/')
    const ofJob = found.get(id) ?? new Map<number, FileProgress>()
    found.set(id, ofJob.set(Number(index), decodeProgress(text)))
  }
  return found
}

async function loadUnacknowledged(store: Store, log: Log): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const [key] of store.read(within('o/'))) {
    const sequence = Number(key.slice(2))
    const text = await store.get(eventKey(sequence))
    if (text === null) log.error({ sequence }, 'an event that nobody acknowledged was lost')
    else events.push(decodeEvent(text))
  }
  return events
}
