// Files that are larger than what is written through the page cache, on a disk where that makes a difference: every way in which
// bytes come, cut here and there and taken up again.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { TransferOrder } from '../link/messages.ts'
import type { Script } from '../test/support/origin.ts'
import { resumePointOf, Transfers } from '../test/support/transfers.ts'

const mebibyte = 1024 * 1024
const body = randomBytes(72 * mebibyte + 12_345)
const checksum = { algorithm: 'sha256', value: createHash('sha256').update(body).digest('hex') } as const
/** Within the page cache, at its end, where buffers are full, and amid a block. */
const cuts = [20 * mebibyte, 32 * mebibyte, 37 * mebibyte + 1, 44 * mebibyte + 4096, body.length - 5]
let transfers: Transfers

before(async () => {
  transfers = await Transfers.open()
})
after(() => transfers.close())

const ways: Readonly<Record<string, { readonly script: Script; readonly order?: Partial<TransferOrder> }>> = {
  'straight from the socket': { script: {} },
  'with a checksum': { script: {}, order: { checksum } },
  'through the client': { script: { headers: { 'Content-Length-Too': '1' } } },
}
for (const [way, { script, order }] of Object.entries(ways)) {
  test(`a large file that is cut again and again comes whole, and no byte twice (${way})`, async () => {
    const path = `/cut-${way.replaceAll(' ', '-')}`
    const asked: number[] = []
    transfers.origin.route(path, ({ count, headers }) => {
      const from = Number(/\d+/.exec(headers.range ?? '0')?.[0])
      asked.push(from)
      const cut = cuts[count]
      return { body, etag: '"1"', ...script, ...(cut !== undefined && { cutAfter: cut - from, cut: 'end' }) }
    })
    let file = transfers.newFile()
    for (const _ of cuts) file = { ...file, resumePoint: resumePointOf(await transfers.run(path, file, { connections: 1, ...order })) }
    const last = await transfers.run(path, file, { connections: 1, ...order })
    assert.equal(last.name, 'transfer.done', JSON.stringify(last.params))
    assert.ok(transfers.bytesOf(file).equals(body))
    assert.deepEqual(asked, [0, ...cuts])
  })
}

test('a large file of unknown length and several at once come whole', async () => {
  transfers.origin.route('/chunked', { body, framing: 'chunked' })
  transfers.origin.route('/plain', { body })
  const files = ['/chunked', '/plain', '/plain', '/chunked'].map((path) => ({ path, file: transfers.newFile() }))
  const ends = await Promise.all(files.map(({ path, file }) => transfers.run(path, file)))
  for (const [at, { file }] of files.entries()) {
    assert.equal(ends[at]?.name, 'transfer.done', JSON.stringify(ends[at]))
    assert.ok(transfers.bytesOf(file).equals(body))
  }
})
