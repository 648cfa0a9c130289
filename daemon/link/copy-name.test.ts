import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyName, copyPath } from './copy-name.ts'

const rows: readonly [string, number, string][] = [
  ['disk.iso', 0, 'disk.iso'],
  ['disk.iso', 1, 'disk (1).iso'],
  ['disk', 12, 'disk (12)'],
  ['disk.tar.gz', 1, 'disk (1).tar.gz'],
  ['v1.2.iso', 1, 'v1.2 (1).iso'],
  ['.profile', 1, '.profile (1)'],
  ['a. not an extension', 1, 'a. not an extension (1)'],
]
for (const [name, copy, expected] of rows) test(`copy ${copy} of ${name}`, () => assert.equal(copyName(name, copy), expected))

test('a name that is as long as may be loses its end, never half a character', () => {
  const copy = copyName(`${'ü😀'.repeat(41)}a😀.txt`, 1)
  assert.ok(Buffer.byteLength(copy) <= 255 && Buffer.byteLength(copy) > 245)
  assert.match(copy, /^(ü😀)+a \(1\)\.txt$/u)
})

test('a path keeps its folder, on every system', () => {
  assert.equal(copyPath('/a.b/c', 2), '/a.b/c (2)')
  assert.equal(copyPath('C:\\a.b\\c.d', 1), 'C:\\a.b\\c (1).d')
})
