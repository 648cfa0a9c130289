// A daemon that holds a queue can be reached, whoever tidies up the folder of its socket.
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Daemon, until } from './support/daemon.ts'
import { RawClient } from './support/raw-client.ts'

interface Reached {
  readonly daemon: Daemon
  readonly socket: string
  /** The daemon answers on its socket, and is the one that was started. */
  untilAnswered(): Promise<void>
}

async function start(t: TestContext): Promise<Reached> {
  const made = Daemon.make()
  const socket = join(made.folder, 'run', 'backhaul', 'sock')
  t.after(() => made.close())
  made.launch({ flags: ['--socket', socket] })
  const untilAnswered = async (): Promise<void> => {
    await until(() => existsSync(socket), 'there is a socket')
    const client = await RawClient.open(socket)
    assert.equal((await client.call('session.hello', {})).daemon.pid, made.pid)
    client.close()
  }
  await untilAnswered()
  return { daemon: made, socket, untilAnswered }
}

const permissions = (path: string): number => statSync(path).mode & 0o777

const losses: readonly [string, (socket: string) => void][] = [
  ['the socket', (socket) => unlinkSync(socket)],
  ['the socket and its lock', (socket) => { unlinkSync(socket); unlinkSync(`${socket}.lock`) }],
  ['the folder', (socket) => rmSync(dirname(socket), { recursive: true })],
  ['the folder, which goes elsewhere with all that is in it', (socket) => renameSync(dirname(socket), `${dirname(socket)}-old`)],
  ['the folder above, which is made anew', (socket) => {
    rmSync(dirname(dirname(socket)), { recursive: true })
    mkdirSync(dirname(dirname(socket)), { mode: 0o700 })
  }],
  ['the folder above, which nobody makes anew', (socket) => rmSync(dirname(dirname(socket)), { recursive: true })],
]

for (const [what, lose] of losses) {
  test(`${what} is taken away: both come back with their permissions`, { concurrency: true }, async (t) => {
    const { daemon, socket, untilAnswered } = await start(t)
    lose(socket)
    assert.equal(existsSync(socket), false)
    await untilAnswered()
    assert.deepEqual([permissions(dirname(socket)), permissions(socket), permissions(`${socket}.lock`)], [0o700, 0o600, 0o600])
    assert.equal(permissions(dirname(dirname(socket))), 0o700)
    await daemon.stop()
    assert.deepEqual([existsSync(socket), existsSync(`${socket}.lock`)], [false, false])
  })
}

test('a lock file alone that is taken away comes back', async (t) => {
  const { socket } = await start(t)
  unlinkSync(`${socket}.lock`)
  await until(() => existsSync(`${socket}.lock`), 'the lock file is there')
})

test('who called before goes on, and what is in the way is said once and waited for', async (t) => {
  const { daemon, socket, untilAnswered } = await start(t)
  const early = await RawClient.open(socket)
  t.after(() => early.close())
  rmSync(dirname(socket), { recursive: true })
  writeFileSync(dirname(socket), '')
  const lost = (): number => daemon.log().filter(({ msg }) => String(msg).includes('cannot be made anew')).length
  await until(() => lost() > 0, 'it is said')
  assert.deepEqual((await early.call('system.ping', {})), {})
  rmSync(dirname(socket))
  mkdirSync(dirname(socket))
  chmodSync(dirname(socket), 0o700)
  await untilAnswered()
  assert.equal(lost(), 1)
  assert.deepEqual((await early.call('system.ping', {})), {})
})
