import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checksum, header, jobStates, pairs, range, seconds } from './arguments.ts'

const sha256 = 'AB'.repeat(32)

test('a checksum is read with its algorithm, or tells it by its length', () => {
  assert.deepEqual(checksum(`sha256:${sha256}`), { algorithm: 'sha256', value: sha256.toLowerCase() })
  assert.deepEqual(checksum(`SHA-256:${sha256}`), { algorithm: 'sha256', value: sha256.toLowerCase() })
  assert.deepEqual(checksum('0'.repeat(32)), { algorithm: 'md5', value: '0'.repeat(32) })
})

test('a checksum of the wrong length, alphabet or algorithm is refused', () => {
  for (const text of ['sha256:abcd', `sha512:${sha256}`, 'x'.repeat(64), `crc32:${sha256}`, '', ':']) assert.throws(() => checksum(text), /ALGORITHM:HEX/, text)
})

test('headers gather, and a value may hold colons', () => {
  assert.deepEqual(header('X-Two: b:c', header('Authorization: Bearer t')), { 'Authorization': 'Bearer t', 'X-Two': 'b:c' })
  assert.throws(() => header('no colon'), /Name: value/)
})

test('ranges gather, with eof for the end', () => {
  assert.deepEqual(range('10:eof', range('0:4')), [{ offset: 0, length: 4 }, { offset: 10, length: null }])
  for (const text of ['0', '-1:4', '0:-4', 'a:b', '0:']) assert.throws(() => range(text), /OFFSET:LENGTH/, text)
})

test('states are read from a list, and an unknown one is named with the known ones', () => {
  assert.deepEqual(jobStates('error,transient-error'), ['error', 'transient-error'])
  assert.throws(() => jobStates('failed'), /suspended, queued/)
})

test('seconds are not negative and not words', () => {
  assert.equal(seconds('0.5'), 0.5)
  for (const text of ['-1', 'soon', '', 'Infinity']) assert.throws(() => seconds(text), /number of seconds/, text)
})

test('files come in pairs', () => {
  assert.deepEqual(pairs(['http://a/', 'x'], (path) => `/here/${path}`), [{ remoteName: 'http://a/', localName: '/here/x' }])
  assert.throws(() => pairs(['http://a/'], (path) => path), /pairs/)
})
