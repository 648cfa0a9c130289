// Everything that the daemon needs in memory at its start: the jobs that have not ended, and the events that nobody
// acknowledged. A job of which a part is gone is not run; what was lost is said.
import type { Log } from '../../log.ts'
import type { StoredEvent } from '../../core/event.ts'
import type { FileProgress, JobRecord } from '../../core/job.ts'
import { eventKey, metaKey, within } from './keys.ts'
import { assemble, decodeEvent, decodeHead, decodeProgress } from './records.ts'
import type { Store } from './store.ts'

export interface Loaded {
  readonly jobs: readonly JobRecord[]
  readonly unacknowledged: readonly StoredEvent[]
  /** Every sequence number given so far is at most this. */
  readonly sequence: number
}

export async function load(store: Store, log: Log): Promise<Loaded> {
  const files = await collect(store, 'f/')
  const progress = await collectProgress(store)
  const jobs: JobRecord[] = []
  for await (const [key, text] of store.read(within('j/'))) {
    const id = key.slice(2)
    const filesText = files.get(id)
    if (filesText === undefined) log.error({ jobId: id }, 'a job was lost: its files are not in the queue any more')
    else jobs.push(assemble(decodeHead(text), filesText, progress.get(id) ?? new Map<number, FileProgress>()))
    files.delete(id)
  }
  for (const id of files.keys()) log.error({ jobId: id }, 'a job was lost: only its files are left in the queue')
  jobs.sort((a, b) => a.number - b.number)
  return { jobs, unacknowledged: await loadUnacknowledged(store, log), sequence: Number((await store.get(metaKey.sequence)) ?? 0) }
}

async function collect(store: Store, prefix: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const [key, text] of store.read(within(prefix))) found.set(key.slice(prefix.length), text)
  return found
}

async function collectProgress(store: Store): Promise<Map<string, Map<number, FileProgress>>> {
  const found = new Map<string, Map<number, FileProgress>>()
  for await (const [key, text] of store.read(within('p/'))) {
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
