import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statfsSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import type { LocalFile, ResumePoint } from '../../link/messages.ts'
import { LoopDisk } from '../../test/support/loop-disk.ts'
import { localFailure } from '../failure-from.ts'
import { probeFiles, publishFiles, removeFiles } from './finished-files.ts'
import { Folders, openPlace } from './folders.ts'
import { refuseImpossible } from './own-file.ts'
import { PartialFile } from './partial-file.ts'
import { noteOf, openKnownPlace } from './volume.ts'

const mebibyte = 1024 * 1024
const tells = [0xef53, 0x01021994, 0x58465342, 0x9123683e, 0x794c7630].includes(statfsSync(tmpdir()).type)
let folder = ''
let folders = new Folders()

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'backhaul-partial-'))
  folders = new Folders()
})
afterEach(() => {
  folders.close()
  rmSync(folder, { recursive: true })
})

const at = (name: string): string => join(folder, name)
const fileOf = (resumePoint: ResumePoint | null = null, localName = at('file')): LocalFile => ({ localName, temporaryName: 'BH1.tmp', resumePoint })

function open(resumePoint: ResumePoint | null = null): PartialFile {
  const place = openPlace(folders, at('file'))
  try {
    return PartialFile.open(place.folder, 'BH1.tmp', resumePoint)
  } finally {
    place.folder.release()
  }
}

async function finished(text: string, modifiedAt: number | null = null): Promise<ResumePoint> {
  const file = open()
  file.write(Buffer.from(text), 0)
  await file.checkpoint()
  await file.close()
  return { inode: file.inode, bytesTotal: text.length, durable: [[0, text.length]], validator: null, modifiedAt }
}

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'nothing'
  } catch (error) {
    return localFailure(error).code
  }
}

test('a partial file is new, private and only as durable as what was flushed', async () => {
  const file = open()
  file.write(Buffer.from('hello'), 0)
  assert.equal(file.durable, 0)
  await file.checkpoint()
  assert.equal(file.durable, 5)
  await file.close()
  assert.equal(statSync(at('BH1.tmp')).mode & 0o777, 0o600)
})

test('a resumed file keeps what was flushed and loses what was not', async () => {
  const known = await finished('hello world')
  const file = open({ ...known, durable: [[0, 5]] })
  assert.equal(file.durable, 5)
  assert.equal(readFileSync(at('BH1.tmp'), 'utf8'), 'hello')
  await file.close()
})

test('a file shorter than was recorded goes on from its real size', async () => {
  const known = await finished('hel')
  const file = open({ ...known, durable: [[0, 5]] })
  assert.equal(file.durable, 3)
  await file.close()
})

test('another file of the same name is started over', async () => {
  const known = await finished('hello')
  const file = open({ ...known, inode: '1:1' })
  assert.equal(file.durable, 0)
  assert.equal(statSync(at('BH1.tmp')).size, 0)
  await file.close()
})

test('a file is known again when its disk has another number, by notes of earlier versions too', async () => {
  const known = await finished('hello')
  const { ino, birthtimeMs } = statSync(at('BH1.tmp'))
  for (const inode of [known.inode, `4711:${ino}:${birthtimeMs}`, `4711:${ino}`]) {
    const file = open({ ...known, inode })
    assert.equal(file.durable, 5, inode)
    await file.close()
  }
  for (const inode of [`${ino + 1}@${birthtimeMs}`, `4711:${ino + 1}:${birthtimeMs}`, ...birthtimeMs === 0 ? [] : [`${ino}@1`, `4711:${ino}:1`]]) {
    const [outcome] = await publishFiles(folders, [fileOf({ ...known, inode })])
    assert.equal(outcome?.code, 'local-file-changed', inode)
  }
  assert.deepEqual(await publishFiles(folders, [fileOf({ ...known, inode: `4711:${ino}:${birthtimeMs}` })]), [null])
})

test('a partial file that is gone is told from a drive that is gone', async () => {
  const known = await finished('hello')
  const { folder: here } = openPlace(folders, at('file'))
  const place = noteOf(here)
  here.release()
  const codeAt = (note: typeof place, localName = at('file')): string => codeOf(() => openKnownPlace(folders, fileOf({ ...known, place: note }, localName)).folder.release())
  const elsewhere = { boot: place.boot, device: '4711', folder: '4711@0' }
  assert.equal(codeAt(elsewhere), 'nothing')
  rmSync(at('BH1.tmp'))
  assert.equal(codeAt(place), 'nothing')
  assert.equal(codeAt({ ...place, folder: '4711@0' }), process.platform === 'linux' ? 'nothing' : 'volume-changed')
  assert.equal(codeAt(elsewhere), 'volume-changed')
  // After another start of the machine the number of the device may be anybody's.
  assert.equal(codeAt({ ...elsewhere, boot: 'another', device: place.device }), 'volume-changed')
  assert.equal(codeAt(elsewhere, at('drive/folder/file')), 'volume-changed')
  assert.equal(codeAt(place, at('drive/folder/file')), process.platform === 'linux' ? 'folder-not-found' : 'volume-changed')
})

test('what was written counts until the machine starts again, up to the first hole, or where a note says', async (context) => {
  if (!tells) return context.skip('the file system does not tell what was written')
  const piece = Buffer.alloc(mebibyte, 'a')
  const written = async (flushed: number, ...offsets: number[]): Promise<ResumePoint> => {
    const file = open()
    if (flushed > 0) {
      file.write(piece.subarray(0, flushed), 0)
      await file.checkpoint()
    }
    for (const offset of offsets) file.write(piece, offset)
    const durable = file.durableSpans.map(([from, to]): [number, number] => [from, to])
    await file.close()
    return { inode: file.inode, bytesTotal: 8 * mebibyte, durable, validator: null, modifiedAt: null, place: noteOf(file.folder) }
  }
  const spansAfter = async (known: ResumePoint): Promise<unknown> => {
    const file = open(known)
    try {
      return [file.written.spans, file.durableSpans]
    } finally {
      await file.close()
    }
  }
  const notedAs = (known: ResumePoint, more: object): ResumePoint => ({ ...known, place: { ...known.place ?? assert.fail(), ...more } })
  assert.deepEqual(await spansAfter(await written(1000, 1000)), [[[0, mebibyte + 1000]], [[0, 1000]]])
  assert.deepEqual(await spansAfter(await written(0, 0)), [[[0, mebibyte]], []])
  assert.deepEqual(await spansAfter(notedAs(await written(1000, 1000), { boot: 'another' })), [[[0, 1000]], [[0, 1000]]])
  assert.deepEqual(await spansAfter(notedAs(await written(1000, 1000), { device: '4711' })), [[[0, 1000]], [[0, 1000]]])
  // Of two writes that were under way only the later one was made: what lies before the hole may end amid a block.
  assert.deepEqual(await spansAfter(await written(0, 0, 4 * mebibyte)), [[[0, mebibyte - 65536]], []])
  assert.deepEqual(await spansAfter(await written(mebibyte, 4 * mebibyte)), [[[0, mebibyte]], [[0, mebibyte]]])
  const gaps = await written(1000, 4 * mebibyte)
  assert.deepEqual(await spansAfter(notedAs(gaps, { written: [[0, 1000], [4 * mebibyte, 5 * mebibyte]] })), [[[0, 1000], [4 * mebibyte, 5 * mebibyte]], [[0, 1000]]])
  assert.deepEqual(await spansAfter(notedAs(await written(0, 0), { written: [] })), [[], []])
})

test('what starts anew is another file, which no resume point of the old one fits', async () => {
  const known = await finished('one version')
  const file = open(known)
  file.startOver()
  file.write(Buffer.from('the other version'), 0)
  const again = open(known)
  assert.equal(again.durable, 0)
  await again.close()
  // Whoever still has the file before open writes to nobody's harm.
  file.write(Buffer.from('late'), 0)
  assert.equal(readFileSync(at('BH1.tmp'), 'utf8'), '')
  await file.checkpoint()
  await file.close()
})

test('of the space that was taken for a file only what was written stays taken, and gaps may be filled later', async (context) => {
  if (statfsSync(folder).type !== 0xef53) return context.skip('the temporary folder is not on ext4')
  const piece = Buffer.alloc(mebibyte, 'a')
  const taken = (): number => statSync(at('BH1.tmp')).blocks * 512
  let file = open()
  file.reserve(16 * mebibyte, 16 * mebibyte)
  file.write(piece, 0)
  file.write(piece, 8 * mebibyte)
  await file.checkpoint()
  assert.ok(taken() >= 16 * mebibyte)
  const durable = file.durableSpans.map(([from, to]): [number, number] => [from, to])
  const known = { inode: file.inode, bytesTotal: 16 * mebibyte, durable, validator: null, modifiedAt: null }
  await file.close()
  assert.ok(taken() < 3 * mebibyte, `${taken()} bytes are taken`)
  file = open(known)
  file.reserve(16 * mebibyte, 14 * mebibyte)
  file.write(piece, mebibyte)
  await file.checkpoint()
  await file.close()
  assert.ok(taken() < 4 * mebibyte)
  const content = readFileSync(at('BH1.tmp'))
  assert.ok(content.equals(Buffer.concat([piece, piece, Buffer.alloc(6 * mebibyte), piece])))
})

test('a new start has the space of the file before at once', (context) => {
  const disk = LoopDisk.make(64)
  if (typeof disk === 'string') return context.skip(disk)
  const { folder: here } = openPlace(folders, join(disk.path, 'file'))
  const known = (file: PartialFile): ResumePoint => ({ inode: file.inode, bytesTotal: null, durable: [], validator: null, modifiedAt: null })
  const open = (resumePoint: ResumePoint | null): PartialFile => PartialFile.open(here, 'BH1.tmp', resumePoint)
  const first = open(null)
  first.write(Buffer.alloc(36 * mebibyte), 0)
  first.startOver()
  first.reserve(36 * mebibyte, 36 * mebibyte)
  first.write(Buffer.alloc(36 * mebibyte), 0)
  // The process before may not be gone yet.
  const second = open(known(first))
  second.reserve(36 * mebibyte, 36 * mebibyte)
  context.after(async () => {
    await Promise.all([first.close(), second.close()])
    here.release()
    folders.close()
    disk.close()
  })
})

test('a flush that began before a new start vouches for nothing after it', async () => {
  const file = open()
  file.write(Buffer.from('old bytes'), 0)
  const flush = file.checkpoint()
  file.startOver()
  file.write(Buffer.from('new'), 0)
  await flush
  assert.equal(file.durable, 0)
  await file.close()
})

test('what is not a regular file of our own is never written', () => {
  writeFileSync(at('victim'), 'precious')
  symlinkSync(at('victim'), at('BH1.tmp'))
  assert.equal(codeOf(() => open()), 'not-a-regular-file')
  rmSync(at('BH1.tmp'))
  symlinkSync(at('nowhere'), at('BH1.tmp'))
  assert.equal(codeOf(() => open()), 'not-a-regular-file')
  rmSync(at('BH1.tmp'))
  linkSync(at('victim'), at('BH1.tmp'))
  assert.equal(codeOf(() => open()), 'not-a-regular-file')
  rmSync(at('BH1.tmp'))
  mkdirSync(at('BH1.tmp'))
  assert.equal(codeOf(() => open()), 'not-a-regular-file')
  rmSync(at('BH1.tmp'), { recursive: true })
  execFileSync('mkfifo', [at('BH1.tmp')])
  assert.equal(codeOf(() => open()), 'not-a-regular-file')
  assert.equal(readFileSync(at('victim'), 'utf8'), 'precious')
  assert.ok(!existsSync(at('nowhere')))
})

test('a missing folder and a folder as local name are told apart', () => {
  assert.equal(codeOf(() => openPlace(folders, '/no/such/folder/file')), 'folder-not-found')
  assert.equal(codeOf(() => openPlace(folders, `${folder}/`)), 'not-a-regular-file')
})

test('a folder that was exchanged is opened anew, and one in use stays the one that it was', async () => {
  const file = open()
  renameSync(folder, `${folder}-moved`)
  mkdirSync(folder)
  const place = openPlace(folders, at('file'))
  assert.equal(place.folder.ino, statSync(folder).ino)
  place.folder.release()
  file.write(Buffer.from('hello'), 0)
  await file.checkpoint()
  await file.close()
  assert.equal(readFileSync(`${folder}-moved/BH1.tmp`, 'utf8'), 'hello')
  rmSync(`${folder}-moved`, { recursive: true })
})

test('a published file has its name, its time and the mode of a normal file', async () => {
  const modifiedAt = Date.UTC(2015, 9, 21)
  const known = await finished('hello', modifiedAt)
  assert.deepEqual(await publishFiles(folders, [fileOf(known)]), [null])
  const stats = statSync(at('file'))
  assert.equal(stats.mtimeMs, modifiedAt)
  assert.equal(stats.mode & 0o777, 0o666 & ~process.umask())
  assert.ok(!existsSync(at('BH1.tmp')))
})

test('publishing may be repeated, and tells its own file from an older one of the same name', async () => {
  writeFileSync(at('file'), 'older')
  const known = await finished('hello')
  assert.deepEqual(await publishFiles(folders, [fileOf(known)]), [null])
  assert.deepEqual(await publishFiles(folders, [fileOf(known)]), [null])
  assert.equal(readFileSync(at('file'), 'utf8'), 'hello')
  rmSync(at('file'))
  writeFileSync(at('file'), 'somebody else wrote this')
  const [outcome] = await publishFiles(folders, [fileOf({ ...known, inode: '1:1' })])
  assert.equal(outcome?.code, 'local-file-changed')
})

test('only the file that was downloaded is published', async () => {
  const known = await finished('hello')
  rmSync(at('BH1.tmp'))
  writeFileSync(at('other'), 'x')
  writeFileSync(at('BH1.tmp'), 'evil!')
  const [exchanged] = await publishFiles(folders, [fileOf({ ...known, inode: '1:1' })])
  assert.equal(exchanged?.code, 'local-file-changed')
  const grown = await finished('hello')
  writeFileSync(at('BH1.tmp'), 'hello and more')
  const [changed] = await publishFiles(folders, [fileOf(grown)])
  assert.equal(changed?.code, 'local-file-changed')
  assert.ok(!existsSync(at('file')))
})

test('a folder under the local name is left alone, and the other files are published', async () => {
  const known = await finished('hello')
  mkdirSync(at('taken'))
  const outcomes = await publishFiles(folders, [fileOf(known, at('taken')), fileOf(known)])
  assert.deepEqual(outcomes.map((outcome) => outcome?.code ?? null), ['not-a-regular-file', null])
})

test('a pipe, a socket or a device under the local name stays what it is', async () => {
  const known = await finished('hello')
  const server = createServer().listen(at('socket'))
  await once(server, 'listening')
  execFileSync('mkfifo', [at('pipe')])
  const names = ['socket', 'pipe']
  if (process.getuid?.() === 0) names.push('device')
  if (names.includes('device')) execFileSync('mknod', [at('device'), 'c', '1', '3'])
  for (const name of names) {
    const { folder: here } = openPlace(folders, at(name))
    assert.equal(codeOf(() => refuseImpossible(here, name)), 'not-a-regular-file', name)
    here.release()
    const [outcome] = await publishFiles(folders, [fileOf(known, at(name))])
    assert.equal(outcome?.code, 'not-a-regular-file', name)
    assert.match(outcome.message, new RegExp(name))
    assert.ok(!lstatSync(at(name)).isFile())
  }
  server.close()
  assert.deepEqual(await publishFiles(folders, [fileOf(known)]), [null])
})

test('a link under the local name is replaced and not followed', async () => {
  writeFileSync(at('victim'), 'precious')
  symlinkSync(at('victim'), at('file'))
  const known = await finished('hello')
  assert.deepEqual(await publishFiles(folders, [fileOf(known)]), [null])
  assert.ok(lstatSync(at('file')).isFile())
  assert.equal(readFileSync(at('victim'), 'utf8'), 'precious')
})

test('removing takes away partial files, wants nothing where there is none, and touches nothing else', async () => {
  const known = await finished('hello')
  assert.deepEqual(await removeFiles(folders, [fileOf(known)]), [null])
  assert.ok(!existsSync(at('BH1.tmp')))
  assert.deepEqual(await removeFiles(folders, [fileOf(known), fileOf(null, '/no/such/folder/file')]), [null, null])
  mkdirSync(at('BH1.tmp'))
  const [outcome] = await removeFiles(folders, [fileOf(known)])
  assert.equal(outcome?.code, 'not-a-regular-file')
  assert.ok(existsSync(at('BH1.tmp')))
})

test('a probe says whether files could be replaced, and changes nothing', async () => {
  const known = await finished('hello')
  assert.deepEqual(probeFiles(folders, [fileOf(known)]), [null])
  assert.equal(probeFiles(folders, [fileOf(null, '/no/such/folder/file')])[0]?.code, 'folder-not-found')
  assert.equal(readFileSync(at('BH1.tmp'), 'utf8'), 'hello')
})

test('a folder without write permission is access-denied', { skip: process.getuid?.() === 0 ? 'root may write everywhere' : false }, () => {
  chmodSync(folder, 0o500)
  try {
    assert.equal(codeOf(() => open()), 'access-denied')
  } finally {
    chmodSync(folder, 0o700)
  }
})
