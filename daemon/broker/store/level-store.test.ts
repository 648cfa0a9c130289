// The contract of the store (`store.ts`), on LevelDB, with real files.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createLog } from '../../log.ts'
import { within } from './keys.ts'
import { LevelStore } from './level-store.ts'
import type { Operation } from './store.ts'

const log = createLog('fatal')
const put = (key: string, value: string): Operation => ({ type: 'put', key, value })
const del = (key: string): Operation => ({ type: 'del', key })

async function open(t: TestContext): Promise<{ store: LevelStore; folder: string; again: () => Promise<LevelStore> }> {
  const parent = mkdtempSync(join(tmpdir(), 'backhaul-store-'))
  const folder = join(parent, 'queue')
  let store = await LevelStore.open(folder, log)
  t.after(async () => {
    await store.close()
    rmSync(parent, { recursive: true, force: true })
  })
  const again = async (): Promise<LevelStore> => {
    await store.close()
    store = await LevelStore.open(folder, log)
    return store
  }
  return { store, folder, again }
}

async function entries(store: LevelStore, span: Parameters<LevelStore['read']>[0]): Promise<(readonly [string, string])[]> {
  const found = []
  for await (const entry of store.read(span)) found.push(entry)
  return found
}

test('what was committed is there, also after it was opened again', async (t) => {
  const { store, again } = await open(t)
  await store.commit([put('x/1', 'one'), put('x/2', 'zwei ü 😀'), put('x/3', '')])
  await store.commit([del('x/1'), put('x/2', 'two')])
  const all = async (of: LevelStore): Promise<unknown> => await Promise.all(['x/1', 'x/2', 'x/3', 'x/4'].map((key) => of.get(key)))
  assert.deepEqual(await all(store), [null, 'two', '', null])
  assert.deepEqual(await all(await again()), [null, 'two', '', null])
})

test('entries come in the order of their keys, within a span', async (t) => {
  const { store } = await open(t)
  await store.commit(['b/2', 'a/1', 'b/10', 'c/1', 'b/1'].map((key) => put(key, key)))
  assert.deepEqual((await entries(store, within('b/'))).map(([key]) => key), ['b/1', 'b/10', 'b/2'])
  assert.deepEqual((await entries(store, { gt: 'b/1', lt: 'b/2' })).map(([key]) => key), ['b/10'])
  assert.deepEqual((await entries(store, { ...within('b/'), reverse: true, limit: 2 })).map(([key]) => key), ['b/2', 'b/10'])
  assert.deepEqual(await entries(store, within('z/')), [])
})

test('commits asked for at once are all there, in the order asked for', async (t) => {
  const { store, again } = await open(t)
  await Promise.all(Array.from({ length: 500 }, (_, at) => store.commit([put('last', String(at)), put(`x/${at}`, String(at))])))
  assert.equal(await store.get('last'), '499')
  assert.equal((await entries(await again(), within('x/'))).length, 500)
})

test('closing waits for what is being written, and then refuses', async (t) => {
  const { store, again } = await open(t)
  const commits = Array.from({ length: 50 }, (_, at) => store.commit([put(`x/${at}`, '')]))
  const closing = store.close()
  await assert.rejects(store.commit([put('late', '')]), { kind: 'shutting-down' })
  await Promise.all(commits)
  await closing
  const opened = await again()
  assert.equal((await entries(opened, within('x/'))).length, 50)
  assert.equal(await opened.get('late'), null)
})

test('a second store on the same folder is refused by name, and the first goes on', async (t) => {
  const { store, folder } = await open(t)
  await assert.rejects(LevelStore.open(folder, log), /another daemon/)
  await store.commit([put('x', 'y')])
  assert.equal(await store.get('x'), 'y')
})

test('a repaired store has what was committed, with a copy of the folder beside it', async (t) => {
  const { store, folder } = await open(t)
  await store.commit([put('x/1', 'one'), put('x/2', 'two')])
  await store.repair('a test')
  assert.deepEqual((await entries(store, within('x/'))).map(([, value]) => value), ['one', 'two'])
  assert.ok(readdirSync(join(folder, '..')).some((name) => name.startsWith('queue.damaged-')))
  await store.commit([put('x/3', 'three')])
  assert.equal(await store.get('x/3'), 'three')
})
