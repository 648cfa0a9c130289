import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { connect } from '../client.ts'
import { makeSurroundings } from '../test/daemon-process.ts'
import { startOrigin } from '../test/origin.ts'
import { until } from '../test/scripted-daemon.ts'

test('a get whose own daemon is killed starts it again and ends with the whole file', { skip: process.platform === 'win32' && 'needs signals' }, async (t) => {
  const { folder, environment } = await makeSurroundings()
  const origin = await startOrigin()
  const socket = join(folder, 'run', 'backhaul', 'backhaul.sock')
  t.after(async () => {
    const client = await connect({ socket })
    const { daemon } = await client.call('session.hello', {})
    await client.close()
    process.kill(daemon.pid, 'SIGTERM')
    await until(() => !isAlive(daemon.pid), 'the end of the daemon')
    await origin.close()
    await rm(folder, { recursive: true, force: true })
  })
  const body = randomBytes(3_000_000)
  origin.serve('/big.bin', body, { holdAfter: 1_000_000 })
  const get = spawn(process.execPath, [resolve(import.meta.dirname, 'backhaul.js'), 'get', origin.url('/big.bin'), join(folder, 'big.bin')],
    { env: environment, cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(get, 'exit')
  await until(() => origin.asked.includes('/big.bin'), 'the first request')

  const client = await connect({ socket, reconnect: false })
  const first = await client.call('session.hello', {})
  process.kill(first.daemon.pid, 'SIGKILL')
  await client.close()
  origin.release('/big.bin')
  assert.deepEqual(await ended, [0, null])
  assert.deepEqual(await readFile(join(folder, 'big.bin')), body)
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    // ESRCH: there is no such process any more.
    return false
  }
}
