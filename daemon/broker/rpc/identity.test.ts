import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { identify } from './identity.ts'
import type { Identity } from './peer-identity.ts'
import { sidText } from './identity-windows.ts'

const isRoot = process.getuid?.() === 0
const onlyRoot = isRoot ? false : 'needs root to become another user'

let folder = ''
let server: net.Server
let address = ''

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'backhaul-identity-'))
  address = path.join(folder, 'sock')
  server = net.createServer()
  server.listen(address)
  await once(server, 'listening')
  await chmod(folder, 0o755)
  await chmod(address, 0o777)
})

after(async () => {
  server.close()
  await rm(folder, { recursive: true })
})

async function identityOf(connect: () => void): Promise<Identity> {
  const connected = once(server, 'connection')
  connect()
  const [socket] = await connected as [net.Socket]
  try {
    return identify(socket)
  } finally {
    socket.destroy()
  }
}

/** Connects as somebody else and stays until it is hung up on. */
async function identityOfChild(program: string, ...args: string[]): Promise<Identity & { readonly childPid: number }> {
  const source = `require('node:net').connect(${JSON.stringify(address)}).resume().on('error', () => {})`
  const child = spawn(program, [...args, process.execPath, '-e', source], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(child, 'exit')
  const identity = await identityOf(() => {})
  await ended
  return { ...identity, childPid: child.pid ?? -1 }
}

test('a connection from this process is this process', { skip: process.platform === 'win32' && 'no handle of a pipe' }, async () => {
  const identity = await identityOf(() => net.connect(address).resume())
  assert.equal(identity.id, String(process.getuid?.()))
  assert.equal(identity.uid, process.getuid?.())
  assert.equal(identity.gid, process.getgid?.())
  assert.equal(identity.pid, process.pid)
  assert.deepEqual([...identity.groups].sort(), process.getgroups?.().sort())
})

test('a caller with another uid, gid and groups is seen as that user', { skip: onlyRoot }, async () => {
  const identity = await identityOfChild('setpriv', '--reuid=54321', '--regid=54322', '--groups=54323,54324')
  assert.equal(identity.id, '54321')
  assert.equal(identity.uid, 54321)
  assert.equal(identity.gid, 54322)
  assert.equal(identity.pid, identity.childPid)
  assert.deepEqual([...identity.groups].sort(), [54322, 54323, 54324])
})

test('a caller without supplementary groups has the primary one only', { skip: onlyRoot }, async () => {
  const identity = await identityOfChild('setpriv', '--reuid=54321', '--regid=54322', '--clear-groups')
  assert.deepEqual(identity.groups, [54322])
})

test('a caller in more groups than fit at first has all of them', { skip: onlyRoot }, async () => {
  const groups = Array.from({ length: 300 }, (_, index) => 60_000 + index)
  const identity = await identityOfChild('setpriv', '--reuid=54321', '--regid=54322', `--groups=${groups.join(',')}`)
  assert.deepEqual(identity.groups, [54322, ...groups])
})

test('the ordinary user nobody is let in where every uid is mapped', { skip: onlyRoot }, async () => {
  const identity = await identityOfChild('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups')
  assert.equal(identity.uid, 65534)
})

test('a caller from outside of our user namespace is refused', { skip: onlyRoot }, async (context) => {
  const inside = path.join(folder, 'inside.sock')
  const source = `
    import net from 'node:net'
    const { identify } = await import(${JSON.stringify(new URL('./identity.ts', import.meta.url).href)})
    const server = net.createServer((socket) => {
      let said = ''
      try { said = 'let in as ' + identify(socket).uid } catch (error) { said = error.message }
      socket.end(said); server.close()
    })
    server.listen(${JSON.stringify(inside)}, () => console.log('listening'))`
  const loader = import.meta.resolve('tsx')
  const unshare = ['--user', '--map-root-user', process.execPath, '--import', loader, '--input-type=module', '-e', source]
  const child = spawn('unshare', unshare, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  const first = await Promise.race([once(child.stdout, 'data').then(() => 'listening'), ended.then(() => 'ended')])
  if (first === 'ended') return context.skip('user namespaces cannot be made here')
  // Root of the outer namespace is uid 0 inside; somebody whom the map does not know is not.
  const caller = `require('node:net').connect(${JSON.stringify(inside)}).pipe(process.stdout)`
  await chmod(inside, 0o777)
  const setpriv = ['--reuid=54321', '--regid=54322', '--clear-groups', process.execPath, '-e', caller]
  const outsider = spawn('setpriv', setpriv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = await once(outsider.stdout, 'data') as [Buffer]
  await Promise.all([ended, once(outsider, 'close')])
  assert.match(said.toString(), /another user namespace/)
})

test('a closed connection and one over TCP have no identity', async () => {
  const gone = new net.Socket()
  assert.throws(() => identify(gone), /no descriptor/)
  const tcp = net.createServer()
  tcp.listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const at = tcp.address()
  assert.ok(at !== null && typeof at === 'object')
  const connected = once(tcp, 'connection')
  const client = net.connect(at.port, '127.0.0.1')
  const [socket] = await connected as [net.Socket]
  assert.throws(() => identify(socket))
  socket.destroy()
  client.destroy()
  tcp.close()
})

test('a SID is written the way Windows writes it', () => {
  const sid = Buffer.from('010500000000000515000000a065cf7e784b9b5fe77c8770e9030000', 'hex')
  assert.equal(sidText(sid), 'S-1-5-21-2127521184-1604012920-1887927527-1001')
  assert.throws(() => sidText(Buffer.from('0105', 'hex')), /not a SID/)
})
