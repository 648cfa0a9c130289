import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { rm, writeFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from './client.ts'
import { startDaemon } from './start.ts'
import { makeSurroundings } from './test/daemon-process.ts'
import { until } from './test/scripted-daemon.ts'

async function endDaemon(socket: string): Promise<void> {
  const client = await connect({ socket, reconnect: false })
  const { pid } = client.hello.daemon
  process.kill(pid, 'SIGTERM')
  await until(() => !isAlive(pid), 'the end of the daemon')
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    // There is no such process any more.
    return false
  }
}

test('two that start a daemon at the same time end up with the same one', async (t) => {
  const { folder, environment } = await makeSurroundings()
  t.after(() => rm(folder, { recursive: true, force: true }))
  const [first, second] = await Promise.all([startDaemon({ environment }), startDaemon({ environment })])
  assert.equal(first, join(folder, 'run', 'backhaul', 'backhaul.sock'))
  assert.equal(second, first)
  assert.equal(statSync(join(folder, 'state', 'backhaul')).mode & 0o777, 0o700)
  assert.equal(statSync(join(folder, 'state', 'backhaul', 'daemon.log')).mode & 0o777, 0o600)
  await endDaemon(first)
})

test('a daemon that cannot start is reported with what it said last', async (t) => {
  const { folder, environment } = await makeSurroundings()
  t.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'config', 'backhaul'))
  await writeFile(join(folder, 'config', 'backhaul', 'config.toml'), 'noSuchKey = 1\n')
  await assert.rejects(startDaemon({ environment }), (error) => error instanceof Error && 'kind' in error && error.kind === 'no-daemon' && /noSuchKey/.test(error.message))
})
