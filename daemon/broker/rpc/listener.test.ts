import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { AlreadyRunning, listen, type Listener, type ListenOptions } from './listener.ts'

const onlyRoot = process.getuid?.() === 0 && process.platform === 'linux' ? false : 'needs root to give a folder to another user'

function folderFor(context: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'backhaul-listener-'))
  context.after(() => rmSync(folder, { recursive: true }))
  return folder
}

async function listening(context: TestContext, address: string, more: Partial<ListenOptions> = {}): Promise<Listener> {
  const listener = await listen({ path: address, mode: 'user', onConnection: (socket) => socket.end('hello'), ...more })
  context.after(() => listener.close())
  return listener
}

async function greeting(address: string): Promise<string> {
  const client = net.connect(address)
  const [said] = await once(client, 'data') as [Buffer]
  client.destroy()
  return said.toString()
}

/** A socket whose program was killed. */
async function leaveDeadSocket(address: string): Promise<void> {
  const source = `require('node:net').createServer().listen(${JSON.stringify(address)}, () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['-e', source], { stdio: 'ignore' }), 'exit')
  assert.ok(lstatSync(address).isSocket())
}

const permissions = (file: string): number => statSync(file).mode & 0o7777

test('in user mode the folder is made 0700 and the socket 0600, whatever the umask', async (context) => {
  const address = path.join(folderFor(context), 'one', 'two', 'sock')
  const umask = process.umask(0)
  context.after(() => process.umask(umask))
  await listening(context, address)
  assert.equal(permissions(path.dirname(address)), 0o700)
  assert.equal(permissions(address), 0o600)
  assert.equal(process.umask(), 0)
  assert.equal(await greeting(address), 'hello')
})

test('in system mode the folder is made 0755 and the socket 0666, whatever the umask', async (context) => {
  const address = path.join(folderFor(context), 'run', 'sock')
  const umask = process.umask(0o077)
  context.after(() => process.umask(umask))
  await listening(context, address, { mode: 'system' })
  assert.equal(permissions(path.dirname(address)), 0o755)
  assert.equal(permissions(address), 0o666)
})

test('closing removes the socket and everything beside it, twice is once, and connections go on', async (context) => {
  const folder = folderFor(context)
  const address = path.join(folder, 'sock')
  const taken = new Promise<net.Socket>((resolve) => void listening(context, address, { onConnection: resolve }).then((listener) => {
    const client = net.connect(address)
    client.once('connect', () => void listener.close().then(() => listener.close()))
    client.on('data', (bytes: Buffer) => client.end(bytes))
  }))
  const socket = await taken
  socket.write('still here')
  const [echo] = await once(socket, 'data') as [Buffer]
  assert.equal(echo.toString(), 'still here')
  socket.destroy()
  assert.deepEqual(readdirSync(folder), [])
})

test('a client that ends its side first still gets its answer', async (context) => {
  const address = path.join(folderFor(context), 'sock')
  await listening(context, address, {
    onConnection: (socket) => socket.on('data', () => {}).on('end', () => setImmediate(() => socket.end('answer'))),
  })
  const client = net.connect({ path: address, allowHalfOpen: true })
  client.end('call')
  const [answer] = await once(client, 'data') as [Buffer]
  assert.equal(answer.toString(), 'answer')
})

test('a dead socket is replaced', async (context) => {
  const address = path.join(folderFor(context), 'sock')
  await leaveDeadSocket(address)
  await listening(context, address)
  assert.equal(await greeting(address), 'hello')
})

test('what a daemon that was killed between binding and renaming left behind is no obstacle, and goes', async (context) => {
  const folder = folderFor(context)
  await leaveDeadSocket(path.join(folder, 'soc~'))
  writeFileSync(path.join(folder, 'sock.lock'), '')
  const listener = await listening(context, path.join(folder, 'sock'))
  await listener.close()
  assert.deepEqual(readdirSync(folder), [])
})

test('a live socket is left alone, one of ours and one of a program without our lock', async (context) => {
  const folder = folderFor(context)
  const ours = path.join(folder, 'ours')
  await listening(context, ours)
  await assert.rejects(listening(context, ours), AlreadyRunning)
  assert.equal(await greeting(ours), 'hello')

  const theirs = path.join(folder, 'theirs')
  // Whoever looks whether somebody answers hangs up at once.
  const server = net.createServer((socket) => socket.on('error', () => {}).end('other')).listen(theirs)
  context.after(() => server.close())
  await once(server, 'listening')
  await assert.rejects(listening(context, theirs), { name: 'AlreadyRunning', code: 'already-running' })
  assert.equal(await greeting(theirs), 'other')
  assert.ok(!existsSync(`${theirs}.lock`))
})

test('a socket that somebody put in our place is not removed by closing', async (context) => {
  const address = path.join(folderFor(context), 'sock')
  const listener = await listening(context, address)
  const other = net.createServer((socket) => socket.end('other')).listen(`${address}.new`)
  context.after(() => other.close())
  await once(other, 'listening')
  renameSync(`${address}.new`, address)
  await listener.close()
  assert.equal(await greeting(address), 'other')
})

test('a file, a link or a folder in the place of the socket is an error and stays', async (context) => {
  const folder = folderFor(context)
  writeFileSync(path.join(folder, 'file'), 'precious')
  symlinkSync('file', path.join(folder, 'link'))
  mkdirSync(path.join(folder, 'folder'))
  for (const name of ['file', 'link', 'folder']) {
    await assert.rejects(listening(context, path.join(folder, name)), /is there already and is not a socket/)
  }
  assert.deepEqual(readdirSync(folder).sort(), ['file', 'folder', 'link'])
})

test('the longest path that the system allows works, and one byte more is said in a sentence', async (context) => {
  const folder = folderFor(context)
  const longest = process.platform === 'linux' ? 107 : 103
  const address = path.join(folder, 'é'.repeat(2)).padEnd(longest - 2, 'x')
  assert.equal(Buffer.byteLength(address), longest)
  await listening(context, address)
  assert.equal(await greeting(address), 'hello')
  await assert.rejects(listening(context, `${address}x`), new RegExp(`longer than the ${longest} bytes`))
})

const notRoot = process.getuid?.() === 0 ? 'links of root are trusted' : false
test('a folder that is a link is refused', { skip: notRoot }, async (context) => {
  const folder = folderFor(context)
  symlinkSync(folder, path.join(folder, 'link'))
  await assert.rejects(listening(context, path.join(folder, 'link', 'sock')), /symbolic link/)
})

test('a folder that others can write is refused unless it is sticky', async (context) => {
  const folder = path.join(folderFor(context), 'open')
  mkdirSync(folder)
  chmodSync(folder, 0o777)
  await assert.rejects(listening(context, path.join(folder, 'sock')), /can be written by others/)
  chmodSync(folder, 0o1777)
  await listening(context, path.join(folder, 'sock'))
})

test('a folder, a link or a lock file of another user is refused', { skip: onlyRoot }, async (context) => {
  const { chownSync, lchownSync } = await import('node:fs')
  const folder = folderFor(context)
  for (const name of ['theirs', 'shared']) mkdirSync(path.join(folder, name))
  chownSync(path.join(folder, 'theirs'), 54_321, 54_321)
  await assert.rejects(listening(context, path.join(folder, 'theirs', 'sock')), /belongs to somebody else \(uid 54321\)/)
  symlinkSync('shared', path.join(folder, 'link'))
  lchownSync(path.join(folder, 'link'), 54_321, 54_321)
  await assert.rejects(listening(context, path.join(folder, 'link', 'sock')), /symbolic link/)
  const lock = path.join(folder, 'shared', 'sock.lock')
  writeFileSync(lock, '')
  chownSync(lock, 54_321, 54_321)
  await assert.rejects(listening(context, path.join(folder, 'shared', 'sock')), /lock file .* is not our own/)
  assert.ok(existsSync(lock))
})

test('a user mode socket cannot be connected to by another user', { skip: onlyRoot }, async (context) => {
  const folder = folderFor(context)
  chmodSync(folder, 0o755)
  const tryAs = async (address: string): Promise<string> => {
    const source = `require('node:net').connect(${JSON.stringify(address)})
      .on('error', (error) => console.log(error.code)).on('data', (bytes) => console.log(String(bytes)))`
    const child = spawn('setpriv', ['--reuid=54321', '--regid=54321', '--clear-groups', process.execPath, '-e', source])
    const [said] = await once(child.stdout, 'data') as [Buffer]
    await once(child, 'close')
    return said.toString().trim()
  }
  await listening(context, path.join(folder, 'mine'))
  await listening(context, path.join(folder, 'everybodys'), { mode: 'system' })
  assert.equal(await tryAs(path.join(folder, 'mine')), 'EACCES')
  assert.equal(await tryAs(path.join(folder, 'everybodys')), 'hello')
})

test('of many that start at once in one process, one listens', async (context) => {
  const folder = folderFor(context)
  const address = path.join(folder, 'sock')
  for (let round = 0; round < 20; round += 1) {
    if (round % 2 === 0) await leaveDeadSocket(address)
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => listening(context, address)))
    const won = all.filter((one) => one.status === 'fulfilled')
    assert.equal(won.length, 1)
    for (const one of all) if (one.status === 'rejected') assert.ok(one.reason instanceof AlreadyRunning, String(one.reason))
    assert.equal(await greeting(address), 'hello')
    await won[0]?.value.close()
    assert.deepEqual(readdirSync(folder), [])
  }
})

interface Starter {
  say(line: string): Promise<string>
}

/** Another process which listens when told to, and says how it went. */
function starter(context: TestContext, address: string): Starter {
  const source = `
    const { listen } = await import(${JSON.stringify(new URL('./listener.ts', import.meta.url).href)})
    const { createInterface } = await import('node:readline')
    let listener
    for await (const line of createInterface({ input: process.stdin })) {
      if (line === 'close') { await listener?.close(); listener = undefined; console.log('closed'); continue }
      try {
        listener = await listen({ path: ${JSON.stringify(address)}, mode: 'user', onConnection: (socket) => socket.end('hello') })
        console.log('listens')
      } catch (error) { console.log(error.name) }
    }`
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', source], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  context.after(async () => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async say(line) {
      child.stdin.write(`${line}\n`)
      return String((await lines.next()).value)
    },
  }
}

test('of two processes that start at once, one listens and the other says why not', async (context) => {
  const folder = folderFor(context)
  const address = path.join(folder, 'sock')
  const two = [starter(context, address), starter(context, address)] as const
  // Both are loaded before the first race.
  for (const one of two) assert.deepEqual([await one.say('listen'), await one.say('close')], ['listens', 'closed'])
  for (let round = 0; round < 20; round += 1) {
    if (round % 2 === 0) await leaveDeadSocket(address)
    const said = await Promise.all(two.map((one) => one.say('listen')))
    assert.deepEqual(said.sort(), ['AlreadyRunning', 'listens'])
    assert.equal(await greeting(address), 'hello')
    await Promise.all(two.map((one) => one.say('close')))
    assert.deepEqual(readdirSync(folder), [])
  }
})
