import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { libc } from '../libc.ts'
import { takeSupervisor } from './supervisor.ts'

const onlyLinux = process.platform === 'linux' ? false : 'datagrams of the unix family are sent on Linux only'

/** A receiver as systemd has one, bound to a path or to an abstract name. `next()` is null when nothing has arrived. */
function receiver(context: TestContext, address: string): { next(): string | null } {
  const library = libc()
  const fd = library.func('int socket(int family, int type, int protocol)')(1, 2 | 0o2000000, 0) as number
  context.after(() => library.func('int close(int fd)')(fd))
  const name = Buffer.from(address.startsWith('@') ? `\x01\0\0${address.slice(1)}` : `\x01\0${address}\0`, 'latin1')
  assert.equal(library.func('int bind(int fd, const void *name, uint32_t length)')(fd, name, name.length), 0)
  const receive = library.func('long recv(int fd, _Out_ void *bytes, size_t size, int flags)')
  return {
    next() {
      const bytes = Buffer.alloc(4096)
      const length = receive(fd, bytes, bytes.length, 0x40) as number
      return length < 0 ? null : bytes.toString('utf8', 0, length)
    },
  }
}

function folderFor(context: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'backhaul-supervisor-'))
  context.after(() => rmSync(folder, { recursive: true }))
  return folder
}

function fail(error: Error): never {
  throw error
}

test('every message reaches a supervisor at a path', { skip: onlyLinux }, (context) => {
  const address = path.join(folderFor(context), 'notify')
  const { next } = receiver(context, address)
  const supervisor = takeSupervisor({ NOTIFY_SOCKET: address }, fail)
  supervisor.ready()
  assert.equal(next(), 'READY=1')
  supervisor.ready('3 jobs')
  assert.equal(next(), 'READY=1\nSTATUS=3 jobs')
  supervisor.status('two\nlines é')
  assert.equal(next(), 'STATUS=two lines é')
  const before = process.hrtime.bigint() / 1000n
  supervisor.reloading()
  const [, microseconds] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(next() ?? '') ?? []
  assert.ok(BigInt(microseconds ?? 0) >= before)
  supervisor.stopping()
  assert.equal(next(), 'STOPPING=1')
  supervisor.alive()
  assert.equal(next(), 'WATCHDOG=1')
  assert.equal(next(), null)
})

test('a supervisor at an abstract name is reached too', { skip: onlyLinux }, (context) => {
  const address = `@backhaul-supervisor-${process.pid}`
  const { next } = receiver(context, address)
  takeSupervisor({ NOTIFY_SOCKET: address }, fail).ready()
  assert.equal(next(), 'READY=1')
})

test('a supervisor that is gone is told of and stops nothing', { skip: onlyLinux }, (context) => {
  const errors: string[] = []
  for (const address of [path.join(folderFor(context), 'gone'), 'relative', `/${'x'.repeat(200)}`]) {
    takeSupervisor({ NOTIFY_SOCKET: address }, (error) => errors.push(error.message)).ready()
  }
  assert.deepEqual(errors, ['sendto: ENOENT', 'NOTIFY_SOCKET is neither a path nor an abstract name', 'NOTIFY_SOCKET is too long'])
})

test('without a supervisor nothing is sent, watched or activated', () => {
  const supervisor = takeSupervisor({}, fail)
  supervisor.ready('quiet')
  supervisor.stopping()
  assert.equal(supervisor.watchdogIntervalMs(), null)
  assert.equal(supervisor.activatedSocketFd(), null)
})

test('what the supervisor set in the environment is gone afterwards, and nothing else', () => {
  const watchdog = { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '1', WATCHDOG_PID: '1' }
  const environment = { ...watchdog, LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'a', HOME: '/h' }
  takeSupervisor(environment, fail)
  assert.deepEqual(environment, { HOME: '/h' })
})

test('the watchdog is fed at half its time, when it is meant for this process', () => {
  const pid = String(process.pid)
  assert.equal(takeSupervisor({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: pid }).watchdogIntervalMs(), 15_000)
  assert.equal(takeSupervisor({ WATCHDOG_USEC: '30000000' }).watchdogIntervalMs(), 15_000)
  assert.equal(takeSupervisor({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }).watchdogIntervalMs(), null)
  for (const nonsense of ['0', '-1', 'soon', '']) assert.equal(takeSupervisor({ WATCHDOG_USEC: nonsense }).watchdogIntervalMs(), null)
})

test('an activated socket is taken only when it was passed to this process', () => {
  const pid = String(process.pid)
  assert.equal(takeSupervisor({ LISTEN_PID: pid, LISTEN_FDS: '1' }).activatedSocketFd(), 3)
  assert.equal(takeSupervisor({ LISTEN_PID: '1', LISTEN_FDS: '1' }).activatedSocketFd(), null)
  assert.equal(takeSupervisor({ LISTEN_FDS: '1' }).activatedSocketFd(), null)
  assert.equal(takeSupervisor({ LISTEN_PID: pid, LISTEN_FDS: '0' }).activatedSocketFd(), null)
  const said: string[] = []
  assert.equal(takeSupervisor({ LISTEN_PID: pid, LISTEN_FDS: '2' }, (error) => said.push(error.message)).activatedSocketFd(), 3)
  assert.match(said.join(), /only the first/)
})

test('a real process finds the socket that was passed to it, answers on it, and leaves it there', { skip: onlyLinux }, async (context) => {
  const address = path.join(folderFor(context), 'sock')
  const held = net.createServer()
  held.listen(`${address}.bound`)
  await once(held, 'listening')
  renameSync(`${address}.bound`, address)
  const { fd } = (held as net.Server & { readonly _handle?: { readonly fd: number } })._handle ?? {}
  assert.ok(fd !== undefined)
  const from = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href)
  const source = `
    const { takeSupervisor } = await import(${from('./supervisor.ts')})
    const { listen } = await import(${from('./rpc/listener.ts')})
    const listener = await listen({
      path: ${JSON.stringify(address)}, mode: 'user', activatedFd: takeSupervisor().activatedSocketFd(),
      onConnection: (socket) => { socket.end('served, ' + (process.env.LISTEN_FDS ?? 'nothing left')); void listener.close() },
    })
    console.log('listening')`
  const program = [process.execPath, '--import', import.meta.resolve('tsx'), '--input-type=module', '-e', source]
  const child = spawn('sh', ['-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@"', ...program], { stdio: ['ignore', 'pipe', 'inherit', fd] })
  // From here on the child holds the only descriptor of it.
  held.close()
  const ended = once(child, 'exit')
  assert.ok(child.stdout)
  await once(child.stdout, 'data')
  const client = net.connect(address)
  const [answer] = await once(client, 'data') as [Buffer]
  assert.equal(answer.toString(), 'served, nothing left')
  client.destroy()
  assert.deepEqual(await ended, [0, null])
  assert.ok(existsSync(address))
})
