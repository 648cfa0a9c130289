import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c } from './crc32c.ts'

test('the sums are those of the standard (RFC 3720, B.4)', () => {
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa)
  assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43)
  assert.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, at) => at))), 0x46dd794e)
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
})

test('a part gives the same sum as the part alone, wherever it lies', () => {
  const bytes = Buffer.from(Array.from({ length: 64 }, (_, at) => at * 37 & 0xff)).subarray(3)
  for (let from = 0; from < 8; from++) {
    for (let to = from; to < from + 20; to++) assert.equal(crc32c(bytes, from, to), crc32c(Uint8Array.from(bytes.subarray(from, to))))
  }
})
