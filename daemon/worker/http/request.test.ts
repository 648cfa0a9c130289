import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TransferOrder } from '../../link/messages.ts'
import { firstTarget, isFailure, nextTarget, requestHeaders, type Target } from './request.ts'

const http: TransferOrder['http'] = { method: 'GET', headers: {}, redirects: 'allow', redirectToHttp: false }

function target(remoteName: string, headers: Record<string, string> = {}): Target {
  const made = firstTarget({ remoteName, http: { ...http, headers } })
  assert.ok(!isFailure(made))
  return made
}

function next(from: Target, location: string, more: Partial<TransferOrder['http']> = {}, hops = 0, status = 302): Target | string {
  const made = nextTarget(from, { location, status, setCookie: [] }, hops, { ...http, ...more })
  return isFailure(made) ? made.code : made
}

test('user info in a URL becomes Basic authorization and leaves the URL', () => {
  const made = target('https://me:p%40ss@example.org/a?b#c')
  assert.deepEqual([made.url.origin, made.url.username, made.url.password, made.path], ['https://example.org', '', '', '/a?b'])
  assert.equal(made.headers['authorization'], `Basic ${Buffer.from('me:p@ss').toString('base64')}`)
})

test('a range request names the range and its condition; the encoding stays ours', () => {
  const made = target('http://example.org/', { 'Accept-Encoding': 'gzip', 'Range': 'bytes=5-', 'X-Mine': 'yes', 'User-Agent': 'Me/1' })
  const list = requestHeaders(made, '100-', '"a"')
  const sent = Object.fromEntries(list.flatMap((name, index) => index % 2 === 0 ? [[name, list[index + 1]]] : []))
  assert.deepEqual(sent, { 'accept': '*/*', 'user-agent': 'Me/1', 'x-mine': 'yes', 'accept-encoding': 'identity', 'range': 'bytes=100-', 'if-range': '"a"' })
})

test('secrets stay with the origin they were meant for', () => {
  const from = target('https://me:secret@example.org/a', { 'Cookie': 'k=v', 'X-Mine': 'yes' })
  const same = next(from, '/b')
  const other = next(from, 'https://example.com/b')
  assert.ok(typeof same !== 'string' && typeof other !== 'string')
  assert.deepEqual(Object.keys(same.headers).sort(), ['authorization', 'cookie', 'x-mine'])
  assert.deepEqual(Object.keys(other.headers), [])
})

test('every header that a job names is a secret, but for those that say nothing of its owner', () => {
  const names = ['X-Api-Key', 'PRIVATE-TOKEN', 'Proxy-Authorization', 'Host', 'X-Anything', 'Accept', 'Accept-Language', 'User-Agent', 'Referer']
  const headers = Object.fromEntries(names.map((name) => [name, 'value']))
  const hops = (more: Partial<TransferOrder['http']>, remoteName = 'https://a.example/x'): string[][] => {
    let from = firstTarget({ remoteName, http: { ...http, headers, ...more } })
    assert.ok(!isFailure(from))
    const sent = [Object.keys(from.headers)]
    for (const location of ['https://b.example/', 'https://b.example:444/', 'https://a.example/y']) {
      from = nextTarget(from, { location, status: 302, setCookie: [] }, 0, http)
      assert.ok(!isFailure(from))
      sent.push(Object.keys(from.headers))
    }
    return sent
  }
  const all = names.map((name) => name.toLowerCase())
  const harmless = ['accept', 'accept-language', 'user-agent', 'referer']
  assert.deepEqual(hops({}), [all, harmless, harmless, all])
  assert.deepEqual(hops({ sendHeadersTo: ['https://b.example'] }), [all, all, harmless, all])
  // Where a redirect had led before, and the job wanted to know.
  assert.deepEqual(hops({ home: 'https://a.example' }, 'https://b.example/z'), [harmless, harmless, harmless, all])
})

test('a cookie that a redirect sets is sent on along the chain, to its origin alone, beside that of the job', () => {
  const from = target('http://a.example/dl/x', { Cookie: 'own=1' })
  const made = nextTarget(from, { location: '/dl/x', status: 302, setCookie: ['seen=1', 'b=2; Path=/'] }, 0, http)
  assert.ok(!isFailure(made))
  assert.equal(made.headers['cookie'], 'own=1; seen=1; b=2')
  const other = next(made, 'http://b.example/dl/x')
  assert.ok(typeof other !== 'string')
  assert.equal(other.headers['cookie'], undefined)
  const back = next(other, 'http://a.example/y')
  assert.equal(typeof back !== 'string' && back.headers['cookie'], 'own=1; b=2')
  assert.equal(target('http://a.example/dl/x').headers['cookie'], undefined)
})

test('a redirect is refused where it leaves http, goes down to http, or goes on too long', () => {
  const secure = target('https://example.org/a')
  assert.equal(next(secure, 'http://example.org/a'), 'redirect-refused')
  assert.notEqual(next(secure, 'http://example.org/a', { redirectToHttp: true }), 'redirect-refused')
  for (const location of ['file:///etc/passwd', 'ftp://example.org/', 'javascript:1', 'http://']) assert.equal(next(secure, location), 'redirect-refused')
  assert.equal(next(secure, '/a', {}, 10), 'too-many-redirects')
  assert.equal(next(secure, '/b', { redirects: 'disallow' }), 'http-error')
})

test('after 303 the next request is a GET, after 307 it stays what it was', () => {
  const made = firstTarget({ remoteName: 'http://example.org/', http: { ...http, method: 'POST' } })
  assert.ok(!isFailure(made))
  const methods = [301, 302, 303, 307, 308].map((status) => {
    const after = next(made, '/b', {}, 0, status)
    return typeof after === 'string' ? after : after.method
  })
  assert.deepEqual(methods, ['GET', 'GET', 'GET', 'POST', 'POST'])
})

test('a remote name that is no http URL is a failure without its text', () => {
  for (const remoteName of ['file:///etc/passwd', 'example.org/a', 'http://', 'ftp://secret@example.org/']) {
    const made = firstTarget({ remoteName, http })
    assert.ok(isFailure(made) && made.code === 'invalid-remote-name' && !made.message.includes('secret'))
  }
})
