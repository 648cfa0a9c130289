import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { holdLock } from './socket-lock.ts'

function folderFor(context: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'backhaul-lock-'))
  context.after(() => rmSync(folder, { recursive: true }))
  return folder
}

test('a lock is held once, and again after its release, which removes the file', (context) => {
  const file = path.join(folderFor(context), 'lock')
  const first = holdLock(file)
  assert.ok(first)
  assert.equal(holdLock(file), null)
  first.release()
  assert.ok(!existsSync(file))
  const second = holdLock(file)
  assert.ok(second)
  first.release()
  assert.equal(holdLock(file), null)
  second.release()
})

test('a file that was put in the place of the lock file is not removed by the release', (context) => {
  const file = path.join(folderFor(context), 'lock')
  const lock = holdLock(file)
  rmSync(file)
  writeFileSync(file, 'other')
  lock?.release()
  assert.equal(readFileSync(file, 'utf8'), 'other')
})

test('processes that take and release the lock all the time never hold it together', async (context) => {
  const folder = folderFor(context)
  const source = `
    const { holdLock } = await import(${JSON.stringify(new URL('./socket-lock.ts', import.meta.url).href)})
    const { mkdirSync, rmdirSync } = await import('node:fs')
    for (let held = 0; held < 300;) {
      const lock = holdLock(${JSON.stringify(path.join(folder, 'lock'))})
      if (!lock) continue
      mkdirSync(${JSON.stringify(path.join(folder, 'inside'))})
      rmdirSync(${JSON.stringify(path.join(folder, 'inside'))})
      lock.release()
      held += 1
    }`
  const codes = await Promise.all([1, 2, 3].map(async () => {
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', source], {
      stdio: ['ignore', 'ignore', 'inherit'], timeout: 60_000,
    })
    const [code] = await once(child, 'exit')
    return code
  }))
  assert.deepEqual(codes, [0, 0, 0])
})
