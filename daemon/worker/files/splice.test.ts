// Bytes from a real socket into real files, past this process; and that nothing is left behind in between, whatever the file says.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { mountProblem, mountSmall } from '../../test/support/mount.ts'
import { descriptorOf } from '../http/socket-options.ts'
import { canSplice, spliceInto } from './splice.ts'

const linuxOnly = process.platform === 'linux' ? false : 'splice(2) is Linux’s'
const content = randomBytes(3_000_000)
let folder = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'backhaul-splice-'))
})
after(() => rmSync(folder, { recursive: true }))

/** A socket that nobody reads, at whose other end `bytes` are sent and the end. */
async function withSocket(bytes: Buffer, act: (descriptor: number) => Promise<void>): Promise<void> {
  const server = createServer((socket) => void socket.on('error', () => {}).end(bytes)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  // Paused before it is connected, it never begins to read.
  const socket = new Socket().pause()
  try {
    await once(socket.connect(port, '127.0.0.1'), 'connect')
    await act(descriptorOf(socket))
  } finally {
    socket.destroy()
    server.close()
    await once(server, 'close')
  }
}

/** Moves until so many bytes came. */
async function moveAll(file: number, offset: number, socket: number, most: number): Promise<void> {
  for (let moved = 0; moved < most;) {
    moved += spliceInto(file, offset + moved, socket, most - moved)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Gives what the file holds in the end. */
async function received(flags: number, name: string, offset: number): Promise<Buffer> {
  const path = join(folder, name)
  const file = openSync(path, constants.O_CREAT | constants.O_RDWR | flags, 0o600)
  try {
    await withSocket(content, (socket) => moveAll(file, offset, socket, content.length))
  } finally {
    closeSync(file)
  }
  return readFileSync(path)
}

test('what waits in a socket is moved to its place in a file', { skip: linuxOnly }, async () => {
  assert.ok((await received(0, 'whole', 0)).equals(content))
  assert.ok((await received(0, 'from-the-middle', 12_345)).subarray(12_345).equals(content))
})

test('never more is taken than was asked for, and nothing where nothing waits or there is no socket', { skip: linuxOnly }, async () => {
  const file = openSync(join(folder, 'part'), constants.O_CREAT | constants.O_RDWR, 0o600)
  await withSocket(content, async (socket) => {
    await moveAll(file, 0, socket, 1_000_001)
    assert.ok(readFileSync(join(folder, 'part')).equals(content.subarray(0, 1_000_001)))
  })
  await withSocket(Buffer.alloc(0), async (socket) => assert.equal(spliceInto(file, 0, socket, 1000), 0))
  assert.equal(spliceInto(file, 0, -1, 1000), 0)
  closeSync(file)
})

test('a file that refuses to be spliced into gets its bytes all the same', { skip: linuxOnly }, async () => {
  // splice(2): EINVAL for a file that is open for appending.
  assert.ok((await received(constants.O_APPEND, 'appended', 0)).equals(content))
})

test('a disk that is full says so, and the next file gets none of what was left over', { skip: linuxOnly || mountProblem() }, async () => {
  const disk = join(folder, 'disk')
  const unmount = mountSmall(disk)
  const file = openSync(join(disk, 'file'), constants.O_CREAT | constants.O_RDWR, 0o600)
  try {
    await withSocket(content, (socket) => assert.rejects(moveAll(file, 0, socket, content.length), { code: 'ENOSPC' }))
    assert.ok((await received(0, 'after', 0)).equals(content))
  } finally {
    closeSync(file)
    unmount()
  }
})

test('where the system refuses the call nothing is lost, and it is not made again', { skip: linuxOnly }, () => {
  assert.equal(canSplice(), true)
  const [file, directory] = [openSync(join(folder, 'refused'), constants.O_CREAT | constants.O_RDWR, 0o600), openSync(folder, constants.O_RDONLY)]
  assert.equal(spliceInto(file, 0, directory, 1000), 0)
  assert.equal(canSplice(), false)
  for (const fd of [file, directory]) closeSync(fd)
})
