import assert from 'node:assert/strict'
import { test } from 'node:test'
import { harmless, moment, percentage, size, span, table } from './print.ts'

test('a size has three digits and the largest unit below it', () => {
  assert.deepEqual([0, 999, 1000, 1234, 12_345, 999_499, 999_500, 1_234_567_890, null].map((bytes) => size(bytes)),
    ['0 B', '999 B', '1.00 kB', '1.23 kB', '12.3 kB', '999 kB', '1.00 MB', '1.23 GB', '?'])
})

test('a span shows its two largest units', () => {
  assert.deepEqual([0, 45, 60, 200, 3600, 7260, 187_200, 1_209_600].map(span), ['0 s', '45 s', '1 min', '3 min 20 s', '1 h', '2 h 1 min', '2 d 4 h', '14 d'])
})

test('a moment of today has no date, another has', () => {
  const now = new Date(2026, 4, 6, 12, 0, 0).getTime()
  assert.equal(moment(new Date(2026, 4, 6, 7, 8, 9).getTime(), now), '07:08:09')
  assert.equal(moment(new Date(2026, 4, 5, 7, 8, 9).getTime(), now), '2026-05-05 07:08:09')
})

test('100% is said only when every file is here', () => {
  const progress = { bytesTotal: 1000, bytesTransferred: 1000, filesTotal: 1, filesTransferred: 0, bytesPerSecond: 0 }
  assert.equal(percentage(progress), '99%')
  assert.equal(percentage({ ...progress, filesTransferred: 1 }), '100%')
  assert.equal(percentage({ ...progress, bytesTotal: null }), '')
})

test('text from elsewhere cannot drive the terminal', () => {
  assert.equal(harmless('a\u001b[2Jb\r\nc\u202ed'), 'a\ufffd[2Jb\ufffd\ufffdc\ufffdd')
})

test('columns are as wide as their widest cell, painted or not', () => {
  assert.equal(table([['a', 'bb', 'c'], ['aaa', 'b', 'cc']]), 'a    bb  c\naaa  b   cc')
  assert.equal(table([['a', 'b'], ['aaa', 'b']], (text) => `<${text}>`), '<a>    <b>\n<aaa>  <b>')
})
