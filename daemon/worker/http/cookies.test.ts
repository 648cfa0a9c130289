import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cookieHeader, withCookies } from './cookies.ts'

const origin = 'http://a'
const now = Date.UTC(2026, 0, 1)

test('a cookie goes back to its origin and below its path, until it is taken back', () => {
  const cases: [string[], string, string | null][] = [
    [['a=1; Path=/'], '/x', 'a=1'], [['a=1'], '/dl/x?q', 'a=1'], [['a=1'], '/other', null], [['a=1; path=/d'], '/dl', null],
    [['a=1', 'a=2'], '/dl/', 'a=2'], [['a=1; Path=/', 'b="x y"; HttpOnly; Path=/dl'], '/dl/x', 'b="x y"; a=1'], [['a='], '/dl/x', 'a='],
    [['a=1', 'a=1; Max-Age=0'], '/dl/x', null], [['a=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT'], '/dl/x', null],
    [['a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT'], '/dl/x', 'a=1'],
    [['a=1; Domain=evil.example'], '/dl/x', 'a=1'], [['a=1; Secure'], '/dl/x', null], [['=1', 'a', 'a=\u0001', ''], '/dl/x', null],
  ]
  for (const [set, path, expected] of cases) {
    const cookies = withCookies([], set, origin, '/dl/file?id=5', now)
    assert.equal(cookieHeader(cookies, origin, path), expected, set.join(' | '))
    for (const other of ['https://a', 'http://a:81', 'http://b']) assert.equal(cookieHeader(cookies, other, path), null)
  }
})

test('cookies are bounded in number and size', () => {
  const many = Array.from({ length: 5000 }, (_, at) => `n${at}=1`)
  let cookies = withCookies([], many, origin, '/', now)
  cookies = withCookies(cookies, many.slice(1000), origin, '/', now)
  assert.equal(cookies.length, 50)
  assert.equal(withCookies([], [`a=${'x'.repeat(4096)}`], origin, '/', now).length, 0)
  const large = withCookies([], Array.from({ length: 50 }, (_, at) => `n${at}=${'x'.repeat(4000)}`), origin, '/', now)
  assert.ok((cookieHeader(large, origin, '/') ?? '').length <= 8192)
})
