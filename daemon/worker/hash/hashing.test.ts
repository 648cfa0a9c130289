// Checksums of files that are large enough to be hashed in a thread: that it sees each byte, once, in order, before its place is used again.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { LocalFile, TransferOrder } from '../../link/messages.ts'
import type { Script } from '../../test/support/origin.ts'
import { resumePointOf, Transfers } from '../../test/support/transfers.ts'
import { orderFor, type Reported } from '../../test/support/worker.ts'
import { BodyWriter } from '../body-writer.ts'
import { Cancellation } from '../cancellation.ts'
import { ContentHash } from './content-hash.ts'
import { Folders } from '../files/folders.ts'
import { Hashing } from './hashing.ts'
import { openPartial } from '../open-partial.ts'

const mebibyte = 1024 * 1024
const body = randomBytes(21 * mebibyte + 12_345)
const algorithms = ['sha256', 'sha512', 'sha1', 'md5'] as const
let transfers: Transfers

before(async () => {
  transfers = await Transfers.open()
})
after(() => transfers.close())

type Checksum = NonNullable<TransferOrder['checksum']>

const checksumOf = (content: Buffer, algorithm: Checksum['algorithm'] = 'sha256'): Checksum => ({ algorithm, value: createHash(algorithm).update(content).digest('hex') })

function transfer(path: string, file: LocalFile, checksum: Checksum, more: Partial<TransferOrder> = {}): Promise<Reported> {
  return transfers.run(path, file, { checksum, ...more })
}

test('several large files at once fit their checksums, and one that does not fit is thrown away', async () => {
  transfers.origin.route('/file', { body })
  const jobs = algorithms.map((algorithm) => ({ file: transfers.newFile(), checksum: checksumOf(body, algorithm) }))
  const wrong = { file: transfers.newFile(), checksum: checksumOf(body.subarray(1)) }
  const ends = await Promise.all([...jobs, wrong].map(({ file, checksum }) => transfer('/file', file, checksum)))
  for (const [at, { file }] of jobs.entries()) {
    assert.equal(ends[at]?.name, 'transfer.done', JSON.stringify(ends[at]))
    assert.ok(transfers.bytesOf(file).equals(body))
  }
  assert.deepEqual([ends.at(-1)?.name, transfers.bytesOf(wrong.file).length], ['transfer.failed', 0])
})

const answers: Readonly<Record<string, Script>> = {
  plain: { body, etag: '"1"' },
  'not plain': { body, etag: '"1"', headers: { 'Content-Length-Too': '1' } },
  'slow, in many pieces': { body, etag: '"1"', pace: { bytes: 300_001, everyMs: 1 } },
}
for (const [kind, script] of Object.entries(answers)) {
  test(`a large file that comes over cut connections fits its checksum in the end (${kind})`, async () => {
    // Taken up within a block, and with less than a buffer to come.
    const cuts = [1_000_001, 16 * mebibyte + 5, body.length - 3]
    const path = `/cut-${kind.replaceAll(/\W+/g, '-')}`
    transfers.origin.route(path, ({ count, headers }) => {
      const from = Number(/\d+/.exec(headers.range ?? '0')?.[0])
      const cut = cuts[count]
      return cut === undefined ? script : { ...script, cutAfter: cut - from }
    })
    let file = transfers.newFile()
    for (const _ of cuts) file = { ...file, resumePoint: resumePointOf(await transfer(path, file, checksumOf(body), { connections: 1 })) }
    const last = await transfer(path, file, checksumOf(body), { connections: 1 })
    assert.equal(last.name, 'transfer.done', JSON.stringify(last.params))
    assert.ok(transfers.bytesOf(file).equals(body))
  })
}

test('a large file whose size is not announced, and one that comes in parts, fit their checksums', async () => {
  transfers.origin.route('/chunked', { body, framing: 'chunked' })
  transfers.origin.route('/parts', { body, etag: '"1"', pace: { bytes: 500_000, everyMs: 1 } })
  for (const [path, connections] of [['/chunked', 1], ['/parts', 4]] as const) {
    const file = transfers.newFile()
    assert.equal((await transfer(path, file, checksumOf(body), { connections })).name, 'transfer.done')
    assert.ok(transfers.bytesOf(file).equals(body))
  }
})

test('what one file leaves of its buffers is never overwritten by another before it was hashed', async (t) => {
  const [hashing, folders] = [new Hashing(), new Folders()]
  t.after(() => {
    hashing.close()
    folders.close()
  })
  let seed = 11
  const some = (most: number): number => (seed = seed * 48_271 % 2_147_483_647) % most
  for (let round = 0; round < 8; round++) {
    const content = body.subarray(some(1000))
    const file = openPartial(orderFor('http://localhost/', transfers.newFile()), folders)
    const hash = new ContentHash(checksumOf(content), hashing)
    let writer = new BodyWriter(file, 0, content.length, hash.from(0, content.length))
    for (let at = 0; at < content.length;) {
      const piece = content.subarray(at, at + 1 + some(2 * mebibyte))
      writer.take(piece)
      at += piece.length
      if (some(4) > 0) continue
      // As when a connection ended: the next writer begins with the buffers of this one.
      writer.flush()
      hash.shownTo(at)
      writer.close()
      writer = new BodyWriter(file, at, content.length - at, hash.from(at, content.length))
    }
    writer.flush()
    hash.shownTo(content.length)
    // Not the least wait before the buffers go to the next file.
    const fits = hash.fits()
    writer.close()
    assert.equal(await fits, true)
    await hash.readBack(file, content.length, content.length, new Cancellation())
    hash.startOver()
    await file.close()
  }
})

test('a thread that was ended is followed by another', { timeout: 20_000 }, async (t) => {
  const hashing = new Hashing()
  t.after(() => hashing.close())
  const forgotten = hashing.begin('sha256', body.length)
  hashing.close()
  await assert.rejects(forgotten.digest(), /could not be computed/)
  const later = hashing.begin('sha256', body.length)
  assert.notEqual(later.update(body), null)
  assert.equal((await later.digest()).toString('hex'), checksumOf(body).value)
})

test('where the thread dies, its files fail, and later ones are hashed without it', { timeout: 20_000 }, async (t) => {
  const hashing = new Hashing()
  t.after(() => hashing.close())
  const [doomed, beside] = [hashing.begin('no such algorithm', body.length), hashing.begin('sha256', body.length)]
  const shown = [doomed.update(body), beside.update(body)]
  await assert.rejects(beside.digest(), /could not be computed/)
  for (const seen of [...shown, beside.update(body)]) await assert.rejects(seen ?? assert.fail(), /could not be computed/)
  const later = hashing.begin('sha256', body.length)
  assert.equal(later.update(body), null)
  assert.equal((await later.digest()).toString('hex'), checksumOf(body).value)
})
