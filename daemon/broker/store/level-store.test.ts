import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Log } from '../../log.ts'
import { LevelStore } from './level-store.ts'

const quiet = (): void => {}
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => log }

async function opened(t: TestContext): Promise<{ store: LevelStore; folder: string }> {
  const parent = mkdtempSync(join(tmpdir(), 'backhaul-store-'))
  const folder = join(parent, 'queue')
  const store = await LevelStore.open(folder, log)
  t.after(async () => {
    await store.close()
    rmSync(parent, { recursive: true })
  })
  return { store, folder }
}

async function keysOf(store: LevelStore): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of store.read({ gte: 'k', lt: 'l' })) keys.push(key)
  return keys
}

test('a commit that is asked for the moment another one was answered is written too', { timeout: 10_000 }, async (t) => {
  const { store } = await opened(t)
  for (let at = 0; at < 20; at++) await store.commit([{ type: 'put', key: `k${at % 10}`, value: String(at) }])
  assert.equal((await keysOf(store)).length, 10)
})

test('commits asked for together are all written, the last one wins', async (t) => {
  const { store } = await opened(t)
  await Promise.all(Array.from({ length: 100 }, (_, at) => store.commit([{ type: 'put', key: `k${at % 10}`, value: String(at) }])))
  assert.deepEqual([(await keysOf(store)).length, await store.get('k3')], [10, '93'])
})

test('what was committed is there for the next who opens it, and a closed store refuses', async (t) => {
  const { store, folder } = await opened(t)
  await store.commit([{ type: 'put', key: 'k1', value: 'one' }, { type: 'put', key: 'k2', value: 'two' }])
  await store.commit([{ type: 'del', key: 'k1' }])
  await store.close()
  await assert.rejects(store.commit([]), { kind: 'shutting-down' })
  const again = await LevelStore.open(folder, log)
  t.after(() => again.close())
  assert.deepEqual([await again.get('k1'), await again.get('k2')], [null, 'two'])
})
