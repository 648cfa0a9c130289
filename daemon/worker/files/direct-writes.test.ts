import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { BodyWriter } from '../body-writer.ts'
import { alignedBuffer, DirectWrites } from './direct-writes.ts'
import { Folders, openPlace } from './folders.ts'
import { PartialFile } from './partial-file.ts'

const mebibyte = 1024 * 1024
let folder = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'backhaul-direct-'))
})
after(() => rmSync(folder, { recursive: true }))

function open(folders: Folders, durable: number, inode: string | null): PartialFile {
  const place = openPlace(folders, join(folder, 'large'))
  try {
    return PartialFile.open(place.folder, 'BH1.tmp', inode === null ? null : { inode, bytesTotal: null, durable: [[0, durable]], validator: null, modifiedAt: null })
  } finally {
    place.folder.release()
  }
}

test('a large file holds every byte, wherever it was flushed and taken up again', async () => {
  const content = randomBytes(48 * mebibyte + 12_345)
  const folders = new Folders()
  let [at, inode, seed]: [number, string | null, number] = [0, null, 7]
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
      if (at > ++flushes * 5 * mebibyte) {
        writer.flush()
        await file.checkpoint()
      }
    }
    writer.flush()
    await file.checkpoint()
    assert.equal(file.durable, at)
    inode = file.inode
    writer.close()
    await file.close()
  }
  folders.close()
  assert.ok(readFileSync(join(folder, 'BH1.tmp')).equals(content))
})

test('only what fits the blocks of the disk is taken', (context) => {
  if (statfsSync(folder).type !== 0xef53) return context.skip('the temporary folder is not on ext4')
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
