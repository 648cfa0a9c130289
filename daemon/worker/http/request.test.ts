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
  const made = nextTarget(from, location, status, hops, { ...http, ...more })
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
  assert.deepEqual(Object.keys(other.headers), ['x-mine'])
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
