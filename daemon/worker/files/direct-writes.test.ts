import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { LoopDisk } from '../../test/support/loop-disk.ts'
import { BodyWriter } from '../body-writer.ts'
import { localFailure } from '../failure-from.ts'
import { alignedBuffer, DirectWrites } from './direct-writes.ts'
import { Folders, openPlace } from './folders.ts'
import { PartialFile } from './partial-file.ts'

const mebibyte = 1024 * 1024
let folder = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'backhaul-direct-'))
})
after(() => rmSync(folder, { recursive: true }))

function open(folders: Folders, durable: number, inode: string | null, where: string = folder, name = 'BH1.tmp'): PartialFile {
  const place = openPlace(folders, join(where, 'large'))
  try {
    return PartialFile.open(place.folder, name, inode === null ? null : { inode, bytesTotal: null, durable: [[0, durable]], validator: null, modifiedAt: null })
  } finally {
    place.folder.release()
  }
}

const isExt4 = (): boolean => statfsSync(folder).type === 0xef53

test('a large file holds every byte, wherever it was flushed and taken up again', async () => {
  const content = randomBytes(48 * mebibyte + 12_345)
  const folders = new Folders()
  let [at, inode, seed]: [number, string | null, number] = [0, null, 7]
  let waits = 0
  while (at < content.length) {
    const file = open(folders, at, inode)
    const writer = new BodyWriter(file, at, null, null)
    // Each time as far as it happens to come, in pieces of any size, flushed in between.
    const end = Math.min(content.length, at + 17 * mebibyte + 4321)
    for (let flushes = 0; at < end;) {
      seed = (seed * 48_271) % 2_147_483_647
      const piece = content.subarray(at, Math.min(end, at + 1 + seed % 300_000))
      writer.take(piece)
      at += piece.length
      waits += writer.behind ? 1 : 0
      // Now and then by somebody who can wait.
      if (seed % 3 === 0) await writer.behind
      if (at > ++flushes * 5 * mebibyte) {
        writer.flush()
        const { received } = writer
        await file.checkpoint()
        assert.equal(file.durable, received)
      }
    }
    writer.flush()
    await writer.settled()
    assert.deepEqual([writer.unwritten, file.written.prefix, file.written.bytes], [0, at, at])
    await file.checkpoint()
    assert.equal(file.durable, at)
    inode = file.inode
    writer.close()
    await file.close()
  }
  folders.close()
  assert.ok(readFileSync(join(folder, 'BH1.tmp')).equals(content))
  if (isExt4()) assert.ok(waits > 0, 'the disk was never behind')
})

test('what is begun counts in the order in which it was, and is ended before the file is closed', async (context) => {
  if (!isExt4()) return context.skip('the temporary folder is not on ext4')
  const path = join(folder, 'begun')
  const fd = openSync(path, 'w+')
  const direct = new DirectWrites(fd)
  const pieces = [...'abcdefgh'].map((letter) => alignedBuffer(mebibyte).fill(letter))
  const told: number[] = []
  const writings = pieces.map((piece, at) => direct.begin(piece, at * mebibyte, (count) => told.push(at, count)))
  direct.close()
  assert.equal(direct.begin(pieces[0] ?? assert.fail(), 0, () => assert.fail('it was closed')), null)
  // A descriptor that was free by now would be one of these.
  const others = pieces.map((_, at) => openSync(join(folder, `other-${at}`), 'w'))
  await Promise.all(writings)
  assert.deepEqual(told, pieces.flatMap((_, at) => [at, mebibyte]))
  assert.ok(readFileSync(path).equals(Buffer.concat(pieces)))
  for (const other of others) assert.equal(fstatSync(other).size, 0)
  for (const each of [fd, ...others]) closeSync(each)
})

test('a disk that is full is told to whoever waits and whoever does not, and what came before it is kept', async (context) => {
  const disk = LoopDisk.make(64)
  if (typeof disk === 'string') return context.skip(disk)
  const folders = new Folders()
  context.after(() => {
    folders.close()
    disk.close()
  })
  const content = randomBytes(80 * mebibyte)
  const isFull = (error: unknown): boolean => localFailure(error).code === 'disk-full'
  const file = open(folders, 0, null, disk.path)
  const writer = new BodyWriter(file, 0, null, null)
  await assert.rejects(async () => {
    for (let at = 0; at < content.length; at += mebibyte) {
      writer.take(content.subarray(at, at + mebibyte))
      await writer.behind
    }
  }, isFull)
  await assert.rejects(writer.settled(), isFull)
  assert.throws(() => writer.flush(), isFull)
  writer.close()
  const kept = file.written.prefix
  assert.ok(kept > 32 * mebibyte && file.written.bytes === kept, 'there is a gap')
  await file.close()
  assert.ok(readFileSync(join(disk.path, 'BH1.tmp')).equals(content.subarray(0, kept)))
})

test('a buffer goes to the next body only when the disk has what is in it', async () => {
  const folders = new Folders()
  // So large that the last of each is just under way when the next begins.
  const contents = Array.from({ length: 4 }, () => randomBytes(34 * mebibyte))
  const files = contents.map((_, at) => open(folders, 0, null, folder, `BH1${at}.tmp`))
  for (const [at, file] of files.entries()) {
    const writer = new BodyWriter(file, 0, null, null)
    writer.take(contents[at] ?? assert.fail())
    writer.close()
  }
  for (const [at, file] of files.entries()) {
    await file.checkpoint()
    assert.equal(file.durable, 34 * mebibyte)
    await file.close()
    assert.ok(readFileSync(join(folder, `BH1${at}.tmp`)).equals(contents[at] ?? assert.fail()))
  }
  folders.close()
})

test('only what fits the blocks of the disk is taken', (context) => {
  if (!isExt4()) return context.skip('the temporary folder is not on ext4')
  const path = join(folder, 'some')
  const fd = openSync(path, 'w+')
  const direct = new DirectWrites(fd)
  const bytes = alignedBuffer(64 * 1024).fill('a')
  assert.equal(direct.write(bytes, 0), bytes.length)
  assert.equal(direct.write(bytes.subarray(0, 5000), bytes.length), 4096)
  assert.deepEqual([direct.write(bytes, 5), direct.write(bytes.subarray(5), 0), direct.write(Buffer.alloc(bytes.length), 0)], [0, 0, 0])
  direct.close()
  assert.equal(direct.write(bytes, 0), 0)
  closeSync(fd)
  assert.equal(readFileSync(path, 'latin1'), 'a'.repeat(bytes.length + 4096))
})

test('where the file system is none that is known, nothing is taken', (context) => {
  if (process.platform !== 'linux') return context.skip('there is no /dev/shm')
  const place = mkdtempSync('/dev/shm/backhaul-direct-')
  const fd = openSync(join(place, 'some'), 'w')
  assert.equal(new DirectWrites(fd).write(alignedBuffer(64 * 1024), 0), 0)
  closeSync(fd)
  rmSync(place, { recursive: true })
})
