// What one user's connections do, in number, in bytes and in calls, is bounded; others are answered meanwhile.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import type net from 'node:net'
import { after, before, test } from 'node:test'
import { until } from './support/daemon.ts'
import { startSystemDaemon, type SystemDaemon } from './support/system-daemon.ts'
import { callAs, connectAs, onlyRoot, openUsers, type TestCaller, type User, type Users } from './support/users.ts'

let users: Users
let ann: User
let daemon: SystemDaemon
let bob: TestCaller

before(async () => {
  if (onlyRoot !== false) return
  users = openUsers()
  ann = users.make('ann')
  daemon = await startSystemDaemon()
  bob = callAs(daemon.socket, users.make('bob'))
})

after(async () => {
  if (onlyRoot !== false) return
  await bob?.close()
  await daemon?.close()
  users?.close()
})

const ping = '{"jsonrpc":"2.0","id":1,"method":"system.ping","params":{}}\n'

function memoryBytes(): number {
  return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) * 1024
}

async function descriptorsSettle(at: number): Promise<void> {
  await until(() => readdirSync(`/proc/${daemon.pid}/fd`).length <= at + 2, 'the end of the connections')
}

test('of a thousand connections of one user 64 are served and the rest refused in words', { skip: onlyRoot }, async () => {
  const before = readdirSync(`/proc/${daemon.pid}/fd`).length
  const sockets: net.Socket[] = []
  let served = 0
  let refused = 0
  const one = async (): Promise<void> => {
    const socket = connectAs(daemon.socket, ann)
    sockets.push(socket)
    socket.write(ping)
    const [bytes] = await once(socket, 'data') as [Buffer]
    if (bytes.includes('too-many-connections')) refused++
    else served++
  }
  for (let batch = 0; batch < 20; batch++) await Promise.all([bob.call('system.ping', {}), ...Array.from({ length: 50 }, one)])
  assert.deepEqual([served, refused], [64, 936])
  for (const socket of sockets) socket.destroy()
  await descriptorsSettle(before)
})

test('who never reads is not read either, and then cut; memory stays', { skip: onlyRoot }, async () => {
  const socket = connectAs(daemon.socket, ann)
  socket.pause()
  const before = memoryBytes()
  const calls = '{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n'.repeat(2000)
  let written = 0
  // What is not taken any more shows by a write that does not drain.
  for (let isTaken = true; isTaken && written < 100e6;) {
    written += calls.length
    isTaken = socket.write(calls) || await Promise.race([once(socket, 'drain').then(() => true, () => false), new Promise<boolean>((resolve) => setTimeout(resolve, 2000, false))])
  }
  assert.ok(written < 100e6)
  await bob.call('system.ping', {})
  assert.ok(memoryBytes() - before < 64 * 1024 * 1024, `${(memoryBytes() - before) / 1e6} MB more`)
  socket.destroy()
})

test('a line that never ends costs its bytes and no more, byte by byte too', { skip: onlyRoot }, async () => {
  const before = memoryBytes()
  const sockets = Array.from({ length: 32 }, () => connectAs(daemon.socket, ann))
  for (const socket of sockets) socket.write(`{"a":"${'x'.repeat(500_000)}`)
  for (let count = 0; count < 500; count++) {
    for (const socket of sockets) socket.write('x')
    await new Promise(setImmediate)
  }
  await bob.call('system.ping', {})
  assert.ok(memoryBytes() - before < 96 * 1024 * 1024, `${(memoryBytes() - before) / 1e6} MB more`)
  for (const socket of sockets) socket.destroy()
})

test('jobs made and cancelled in a loop leave room for those of others', { skip: onlyRoot }, async () => {
  const hers = callAs(daemon.socket, ann)
  const loop = async (): Promise<void> => {
    for (let count = 0; count < 100; count++) {
      const { job } = await hers.call('job.create', { displayName: 'again' })
      await hers.call('job.cancel', { jobId: job.id })
    }
  }
  const storm = Promise.all(Array.from({ length: 8 }, loop))
  for (let count = 0; count < 20; count++) {
    const { job } = await bob.call('job.create', { displayName: 'his' })
    await bob.call('job.cancel', { jobId: job.id })
  }
  await storm
  await hers.close()
})

test('without descriptors to spare the service refuses, goes on, and recovers', { skip: onlyRoot }, async () => {
  const small = await startSystemDaemon({ before: ['prlimit', '--nofile=120:120'] })
  const sockets: net.Socket[] = []
  for (let count = 0; count < 60; count++) sockets.push(connectAs(small.socket, ann), connectAs(small.socket, null))
  for (const socket of sockets) socket.write(ping)
  await Promise.all(sockets.map((socket) => once(socket.resume(), 'data').catch(() => {})))
  // Those who are in are served, and the queue can be written.
  const [first] = sockets
  first?.write('{"jsonrpc":"2.0","id":2,"method":"job.create","params":{"displayName":"x"}}\n')
  assert.match(String((await once(first ?? sockets[0]!, 'data'))[0]), /"created":true/)
  for (const socket of sockets) socket.destroy()
  const again = callAs(small.socket, ann)
  await again.call('system.ping', {})
  await again.close()
  await small.close()
})
