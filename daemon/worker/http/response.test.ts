import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FailureCode } from '../../../protocol/failures.ts'
import { parseContentRange, parseDate, retryAfterMs } from './header-values.ts'
import { ifRangeOf, judgeResponse, mayResume, type AnswerHead, type Asked } from './response.ts'

const now = Date.UTC(2026, 0, 1)
const modified = 'Wed, 21 Oct 2015 07:28:00 GMT'
const later = 'Thu, 22 Oct 2015 00:00:00 GMT'
const whole: Asked = { ranged: false, rangesOnly: false, from: 0, to: null, known: null }
const byTag: Asked = { ranged: true, rangesOnly: false, from: 40, to: null, known: { bytesTotal: 100, validator: { etag: '"a"', lastModified: modified } } }
const byDate: Asked = { ...byTag, known: { bytesTotal: 100, validator: { etag: 'W/"a"', lastModified: modified } } }
const range: Asked = { ranged: true, rangesOnly: true, from: 10, to: 20, known: null }
const laterRange: Asked = { ...range, known: { bytesTotal: 100, validator: { etag: '"a"', lastModified: null } } }

type Headers = AnswerHead['headers']
const judge = (asked: Asked, status: number, headers: Headers, more: Partial<AnswerHead> = {}): ReturnType<typeof judgeResponse> =>
  judgeResponse(asked, { status, headers, version: '1.1', ...more }, now)

const part = (headers: Headers = {}): Headers => ({ 'content-range': 'bytes 40-99/100', 'content-length': '60', 'etag': '"a"', 'last-modified': modified, ...headers })

test('a whole file is taken from the start, with its length and what proves its version', () => {
  assert.deepEqual(judge(whole, 200, { 'content-length': '100', 'etag': '"a"', 'last-modified': modified, 'date': later }), {
    kind: 'body', framing: 'length', from: 0, length: 100, bytesTotal: 100, validator: { etag: '"a"', lastModified: modified }, modifiedAt: Date.UTC(2015, 9, 21, 7, 28),
  })
})

const bodies: [string, Asked, number, Headers, { from: number; length: number | null; bytesTotal: number | null }, Partial<AnswerHead>?][] = [
  ['an empty file', whole, 200, { 'content-length': '0' }, { from: 0, length: 0, bytesTotal: 0 }],
  ['the same length said twice', whole, 200, { 'content-length': ['5', '5'] }, { from: 0, length: 5, bytesTotal: 5 }],
  ['chunks', whole, 200, { 'transfer-encoding': 'Chunked' }, { from: 0, length: null, bytesTotal: null }],
  ['no length at all, ended by closing', whole, 200, {}, { from: 0, length: null, bytesTotal: null }, { version: '1.0' }],
  ['identity, said aloud', whole, 200, { 'content-encoding': 'identity', 'content-length': '5' }, { from: 0, length: 5, bytesTotal: 5 }],
  ['the rest, proved by ETag', byTag, 206, part(), { from: 40, length: 60, bytesTotal: 100 }],
  ['the rest, proved by ETag, from a server with another clock', byTag, 206, part({ 'last-modified': 'Thu, 22 Oct 2015 07:28:00 GMT' }), { from: 40, length: 60, bytesTotal: 100 }],
  ['the rest, proved by Last-Modified and length', byDate, 206, part({ etag: undefined }), { from: 40, length: 60, bytesTotal: 100 }],
  ['the rest without the date that If-Range named', byDate, 206, part({ 'etag': undefined, 'last-modified': undefined }), { from: 40, length: 60, bytesTotal: 100 }],
  ['the whole file without a validator, once it came again', { ...byTag, doubted: true }, 200, { 'content-length': '7' }, { from: 0, length: 7, bytesTotal: 7 }],
  ['the rest without a word on the total', byTag, 206, part({ 'content-range': 'bytes 40-99/*' }), { from: 40, length: 60, bytesTotal: 100 }],
  ['the rest in chunks', byTag, 206, part({ 'content-length': undefined, 'transfer-encoding': 'chunked' }), { from: 40, length: 60, bytesTotal: 100 }],
  ['the whole file instead of the rest', byTag, 200, { 'content-length': '120', 'etag': '"b"' }, { from: 0, length: 120, bytesTotal: 120 }],
  ['a range', range, 206, { 'content-range': 'bytes 10-19/100', 'content-length': '10' }, { from: 10, length: 10, bytesTotal: 100 }],
]
for (const [what, asked, status, headers, expected, more] of bodies) {
  test(`${what} is taken`, () => {
    const judgement = judge(asked, status, headers, more)
    assert.equal(judgement.kind, 'body')
    if (judgement.kind !== 'body') return
    const { from, length, bytesTotal } = judgement
    assert.deepEqual({ from, length, bytesTotal }, expected)
  })
}

test('a whole file without a validator in place of the rest of one that has a strong one is doubtful', () => {
  for (const asked of [byTag, byDate]) assert.deepEqual(judge(asked, 200, { 'content-length': '7' }), { kind: 'doubtful' })
})

test('a date proves sameness only where the answer was made at least a second later', () => {
  const dates: [string | undefined, boolean][] = [
    [undefined, false], ['', false], ['soon', false], [modified, false], ['Wed, 21 Oct 2015 07:27:00 GMT', false],
    ['Wed, 21 Oct 2015 07:28:01 GMT', true], [later, true],
  ]
  for (const [date, isProof] of dates) {
    const judgement = judge(whole, 200, { 'content-length': '100', 'last-modified': modified, date })
    assert.equal(judgement.kind === 'body' && judgement.validator.lastModified, isProof ? modified : null, date)
    assert.equal(judgement.kind === 'body' && judgement.modifiedAt, Date.UTC(2015, 9, 21, 7, 28))
  }
})

const startingOver: [string, Asked, number, Headers][] = [
  ['another ETag', byTag, 206, part({ etag: '"b"' })],
  ['a weak ETag in place of a strong one', byTag, 206, part({ etag: 'W/"a"' })],
  ['no ETag where there was one', byTag, 206, part({ etag: undefined })],
  ['two different ETags', byTag, 206, part({ etag: ['"a"', '"b"'] })],
  ['another weak ETag though the date is the same', byDate, 206, part({ etag: 'W/"b"' })],
  ['another date', byDate, 206, part({ 'etag': undefined, 'last-modified': 'Thu, 22 Oct 2015 07:28:00 GMT' })],
  ['no date where there was one, and no total', byDate, 206, part({ 'etag': undefined, 'last-modified': undefined, 'content-range': 'bytes 40-99/*' })],
  ['no date where there was one, and another total', byDate, 206, part({ 'etag': undefined, 'last-modified': undefined, 'content-range': 'bytes 40-99/101' })],
  ['another total', byTag, 206, part({ 'content-range': 'bytes 40-119/120', 'content-length': '80' })],
  ['an earlier start', byTag, 206, part({ 'content-range': 'bytes 0-99/100', 'content-length': '100' })],
  ['a later start', byTag, 206, part({ 'content-range': 'bytes 41-99/100', 'content-length': '59' })],
  ['an earlier end', byTag, 206, part({ 'content-range': 'bytes 40-98/100', 'content-length': '59' })],
  ['an unknown unit', byTag, 206, part({ 'content-range': 'lines 40-99/100' })],
  ['a range turned around', byTag, 206, part({ 'content-range': 'bytes 99-40/100' })],
  ['a range beyond its own total', byTag, 206, part({ 'content-range': 'bytes 40-100/100', 'content-length': '61' })],
  ['no Content-Range', byTag, 206, part({ 'content-range': undefined })],
  ['two Content-Ranges', byTag, 206, part({ 'content-range': ['bytes 40-99/100', 'bytes 41-99/100'] })],
  ['several parts', byTag, 206, part({ 'content-type': 'multipart/byteranges; boundary=x' })],
  ['a length that contradicts the range', byTag, 206, part({ 'content-length': '61' })],
  ['a part without a length', byTag, 206, part({ 'content-length': undefined })],
  ['416 to a resume', byTag, 416, { 'content-range': 'bytes */30' }],
  ['a changed file while ranges are collected', laterRange, 200, { 'etag': '"b"', 'content-length': '100' }],
  ['a changed ETag while ranges are collected', laterRange, 206, { 'etag': '"b"', 'content-range': 'bytes 10-19/100', 'content-length': '10' }],
]
for (const [what, asked, status, headers] of startingOver) {
  test(`${what} means starting over`, () => assert.equal(judge(asked, status, headers).kind, 'start-over'))
}

const failing: [string, Asked, number, Headers, FailureCode, Partial<AnswerHead>?][] = [
  ['a part that nobody asked for', whole, 206, { 'content-range': 'bytes 0-4/5', 'content-length': '5' }, 'invalid-server-response'],
  ['a range in a whole answer', whole, 200, { 'content-range': 'bytes 0-4/5', 'content-length': '5' }, 'invalid-server-response'],
  ['contradicting lengths', whole, 200, { 'content-length': ['5', '6'] }, 'invalid-server-response'],
  ['a list of lengths', whole, 200, { 'content-length': '5, 6' }, 'invalid-server-response'],
  ['a negative length', whole, 200, { 'content-length': '-5' }, 'invalid-server-response'],
  ['a length beyond counting', whole, 200, { 'content-length': '99999999999999999999' }, 'invalid-server-response'],
  ['a length and chunks', whole, 200, { 'content-length': '5', 'transfer-encoding': 'chunked' }, 'invalid-server-response'],
  ['chunks in HTTP/1.0', whole, 200, { 'transfer-encoding': 'chunked' }, 'invalid-server-response', { version: '1.0' }],
  ['an unknown transfer coding', whole, 200, { 'transfer-encoding': 'gzip, chunked' }, 'invalid-server-response'],
  ['204', whole, 204, {}, 'http-error'],
  ['205', whole, 205, { 'content-length': '0' }, 'http-error'],
  ['203', whole, 203, { 'content-length': '5' }, 'http-error'],
  ['304', whole, 304, {}, 'http-error'],
  ['a redirect to nowhere', whole, 302, {}, 'http-error'],
  ['a redirect to two places', whole, 302, { location: ['/a', '/b'] }, 'invalid-server-response'],
  ['416 to a whole file', whole, 416, {}, 'http-error'],
  ['404', whole, 404, {}, 'http-error'],
  ['404 to a resume', byTag, 404, {}, 'http-error'],
  ['the whole file for a range', range, 200, { 'content-length': '100' }, 'insufficient-range-support'],
  ['416 for a range', range, 416, {}, 'invalid-range'],
  ['a range that ends early because the file does', range, 206, { 'content-range': 'bytes 10-14/15', 'content-length': '5' }, 'invalid-range'],
  ['another range than the one asked for', range, 206, { 'content-range': 'bytes 11-20/100', 'content-length': '10' }, 'insufficient-range-support'],
  ['a part of the range', range, 206, { 'content-range': 'bytes 10-15/100', 'content-length': '6' }, 'insufficient-range-support'],
  ['a part without saying which for a range', range, 206, { 'content-length': '10' }, 'insufficient-range-support'],
  ['several parts for a range', range, 206, { 'content-type': 'multipart/byteranges; boundary=x', 'content-length': '10' }, 'insufficient-range-support'],
  ['a range whose length is another', range, 206, { 'content-range': 'bytes 10-19/100', 'content-length': '9' }, 'invalid-server-response'],
]
for (const [what, asked, status, headers, code, more] of failing) {
  test(`${what} fails with ${code}`, () => {
    const judgement = judge(asked, status, headers, more)
    assert.equal(judgement.kind, 'failure')
    if (judgement.kind !== 'failure') return
    assert.equal(judgement.failure.code, code)
    if (code === 'http-error') assert.equal(judgement.failure.httpStatus, status)
  })
}

test('a redirect with a place leads there', () => {
  for (const status of [301, 302, 303, 307, 308]) assert.deepEqual(judge(byTag, status, { location: '/b' }), { kind: 'redirect', status, location: '/b', setCookie: [] })
})

test('Retry-After is understood as seconds and as a date, and bounded', () => {
  assert.equal(retryAfterMs({ 'retry-after': '120' }, now), 120_000)
  assert.equal(retryAfterMs({ 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT' }, now), 60_000)
  assert.equal(retryAfterMs({ 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT', 'date': 'Thu, 01 Jan 2026 00:00:50 GMT' }, now), 10_000)
  assert.equal(retryAfterMs({ 'retry-after': 'Mon, 01 Jan 2024 00:00:00 GMT' }, now), 0)
  assert.equal(retryAfterMs({ 'retry-after': '9'.repeat(40) }, now), 14 * 24 * 3600 * 1000)
  for (const nonsense of ['soon', '-5', '1.5', '']) assert.equal(retryAfterMs({ 'retry-after': nonsense }, now), null)
  const judgement = judge(whole, 503, { 'retry-after': '7' })
  assert.equal(judgement.kind === 'failure' && judgement.failure.retryAfterMs, 7000)
})

test('the three forms of an HTTP date are read, and nothing else is', () => {
  const at = Date.UTC(1994, 10, 6, 8, 49, 37)
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) assert.equal(parseDate(text), at)
  for (const text of ['yesterday', '1994-11-06T08:49:37Z', 'Sun, 31 Feb 1994 08:49:37 GMT', '0']) assert.equal(parseDate(text), null)
})

test('a Content-Range that does not follow the grammar says nothing', () => {
  for (const text of ['bytes 0-9', 'bytes */10', 'bytes -9/10', 'bytes 0-10/10', 'bytes 0-9/10, bytes 0-9/10', 'bytes 0-99999999999999999/*']) assert.equal(parseContentRange(text), null, text)
})

test('only a strong ETag, or a date together with the length, lets a file go on', () => {
  assert.ok(mayResume({ etag: '"a"', lastModified: null }, null))
  assert.ok(mayResume({ etag: 'W/"a"', lastModified: modified }, 100))
  assert.ok(!mayResume({ etag: null, lastModified: modified }, null))
  assert.ok(!mayResume({ etag: 'W/"a"', lastModified: null }, 100))
  assert.ok(!mayResume(null, 100))
  assert.equal(ifRangeOf({ etag: 'W/"a"', lastModified: modified }), modified)
  assert.equal(ifRangeOf({ etag: '"a"', lastModified: modified }), '"a"')
})
