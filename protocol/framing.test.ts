import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTooDeep, LineReader, type Framed } from './framing.ts'

function read(pieces: readonly (string | Uint8Array)[], maximum?: number): Framed[] {
  const reader = new LineReader(maximum)
  const found: Framed[] = []
  for (const piece of pieces) reader.push(typeof piece === 'string' ? Buffer.from(piece) : piece, (framed) => found.push(framed))
  return found
}

const line = (text: string): Framed => ({ kind: 'line', text })

test('lines are found however their bytes are cut', () => {
  const bytes = Buffer.from('{"a":"ü€😀"}\r\n\n\r\nsecond\nthird')
  for (let size = 1; size <= bytes.length; size++) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
    assert.deepEqual(read(pieces), [line('{"a":"ü€😀"}'), line('second')], `pieces of ${size}`)
  }
})

test('the bytes given may be used again afterwards', () => {
  const reader = new LineReader()
  const found: Framed[] = []
  const bytes = Buffer.from('first ')
  reader.push(bytes, (framed) => found.push(framed))
  bytes.fill('x')
  reader.push(Buffer.from('half\n'), (framed) => found.push(framed))
  assert.deepEqual(found, [line('first half')])
})

test('a line is not mixed with what is left of a longer one before it', () => {
  const reader = new LineReader(1024)
  const found: Framed[] = []
  for (const piece of ['123456789', '0123456\nab', 'c', '\n', 'x'.repeat(100), '\nd', 'e\n']) reader.push(Buffer.from(piece), (framed) => found.push(framed))
  assert.deepEqual(found, [line('1234567890123456'), line('abc'), line('x'.repeat(100)), line('de')])
})

test('what is not UTF-8 is said and the next line is read', () => {
  assert.deepEqual(read([Buffer.from([0x61, 0xff, 0x0a, 0x62, 0x0a])]), [{ kind: 'not-utf8' }, line('b')])
  assert.deepEqual(read([Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0x0a])]), [line('\uFEFFa')])
})

test('a line of the longest size is read, one byte more ends the reading and frees the memory', () => {
  assert.deepEqual(read(['12345678\n'], 8), [line('12345678')])
  for (const pieces of [['123456789\nnext\n'], ['12345678', '9'], ['1', '2', '3', '4', '5', '6', '7', '8', '9', '\n']]) assert.deepEqual(read(pieces, 8), [{ kind: 'too-large' }])
  const reader = new LineReader(8)
  reader.push(Buffer.from('12345'), () => assert.fail())
  assert.equal(reader.held, 5)
  reader.push(Buffer.from('67890'), () => {})
  reader.push(Buffer.from('more\n'), () => assert.fail())
  assert.equal(reader.held, 0)
})

test('depth counts brackets and braces outside of strings', () => {
  assert.equal(isTooDeep('['.repeat(64) + ']'.repeat(64)), false)
  assert.equal(isTooDeep('['.repeat(65) + ']'.repeat(65)), true)
  assert.equal(isTooDeep('{"a":'.repeat(65) + '1' + '}'.repeat(65)), true)
  assert.equal(isTooDeep(JSON.stringify('['.repeat(100))), false)
  assert.equal(isTooDeep(JSON.stringify({ text: `\\" ${'['.repeat(100)}` })), false)
  assert.equal(isTooDeep(`[${'[],'.repeat(100)}[]]`), false)
})
