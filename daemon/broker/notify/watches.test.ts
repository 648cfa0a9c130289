import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Caller } from '../../core/access.ts'
import type { StoredEvent } from '../../core/event.ts'
import type { JobRecord } from '../../core/job.ts'
import type { Queue } from '../queue.ts'
import type { Connection } from '../rpc/connection.ts'
import { writeCursor } from './cursor.ts'
import type { Views } from './delivery.ts'
import { Watches } from './watches.ts'

const ids = Array.from({ length: 10 }, (_, at) => `00000000-0000-4000-8000-00000000000${at}`)
/** Jobs that ended, of two owners in turns. */
const jobs = ids.map((id, at) => ({ id, owner: { id: at % 2 ? 'bob' : 'ann' }, application: null }) as unknown as JobRecord)
const events = Array.from({ length: 400 }, (_, at) => {
  const job = jobs[at % 10] as JobRecord
  return { sequence: at + 1, kind: 'state', at: 0, jobId: job.id, ownerId: job.owner.id, fileIndex: null, error: null } as unknown as StoredEvent
})

class Scene {
  readonly loaded: string[] = []
  reading = 0
  mostReading = 0
  #lastId = 0
  readonly watches = new Watches({
    queue: { get: () => null } as unknown as Queue,
    views: { of: (job: JobRecord) => job, file: () => null } as unknown as Views,
    past: { get: async (id) => this.#get(id), events: (from) => this.#events(from) },
    newId: () => String(++this.#lastId), startSequence: 400, log: { warn: () => assert.fail() } as never,
  })

  connection(id: string): Connection & { readonly shown: { kind: string }[]; close(): void } {
    const shown: { kind: string }[] = []
    const listeners: (() => void)[] = []
    const caller = { id, role: 'user' } as unknown as Caller
    return {
      id: 1, caller, isClosed: false, backlogBytes: 0, shown, request: async () => null,
      notify: (_, event) => void shown.push(event as { kind: string }),
      onClosed: (listener) => { listeners.push(listener); return () => {} },
      close: () => { for (const listener of listeners) listener() },
    }
  }

  async #get(id: string): Promise<JobRecord | null> {
    this.loaded.push(id)
    return jobs.find((job) => job.id === id) ?? null
  }

  async *#events(from: number): AsyncIterable<StoredEvent> {
    this.mostReading = Math.max(this.mostReading, ++this.reading)
    try {
      for (const event of events.slice(from)) {
        await new Promise(setImmediate)
        yield event
      }
    } finally {
      this.reading--
    }
  }
}

const fromTheStart = { after: writeCursor(0), owner: 'me' } as const

async function whole(shown: readonly unknown[], count: number): Promise<void> {
  for (let turn = 0; shown.length < count && turn < 100_000; turn++) await new Promise(setImmediate)
  assert.equal(shown.length, count)
}

test('of the past of others nothing is loaded', async () => {
  const scene = new Scene()
  const ann = scene.connection('ann')
  await scene.watches.open(fromTheStart, ann)
  await whole(ann.shown, 200)
  assert.deepEqual(new Set(scene.loaded), new Set(ids.filter((_, at) => at % 2 === 0)))
  const bob = scene.connection('bob')
  scene.loaded.length = 0
  await scene.watches.open({ ...fromTheStart, jobIds: [ids[1] as string] }, bob)
  await whole(bob.shown, 40)
  assert.deepEqual(new Set(scene.loaded), new Set([ids[1]]))
  await scene.watches.close()
})

test('one watch of an owner reads the past at a time, and all of them come to its end', async () => {
  const scene = new Scene()
  const connections = Array.from({ length: 8 }, () => scene.connection('ann'))
  for (const connection of connections) await scene.watches.open(fromTheStart, connection)
  for (const { shown } of connections) await whole(shown, 200)
  assert.equal(scene.mostReading, 1)
  await scene.watches.close()
})

test('reading stops when the connection ends', async () => {
  const scene = new Scene()
  const ann = scene.connection('ann')
  await scene.watches.open(fromTheStart, ann)
  await whole(ann.shown, 1)
  ann.close()
  await scene.watches.close()
  assert.equal(scene.reading, 0)
  assert.ok(ann.shown.length < 10)
})

test('an owner has 64 watches over all connections, another owner his own, and room comes back', async () => {
  const scene = new Scene()
  const [one, two, other] = [scene.connection('ann'), scene.connection('ann'), scene.connection('bob')]
  for (let count = 0; count < 32; count++) for (const each of [one, two]) await scene.watches.open({ owner: 'me' }, each)
  await assert.rejects(scene.watches.open({ owner: 'me' }, two), { code: 1017, kind: 'too-many-calls' })
  await scene.watches.open({ owner: 'me' }, other)
  one.close()
  await scene.watches.open({ owner: 'me' }, two)
  await scene.watches.close()
})
