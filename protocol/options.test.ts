import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultOptions, jobOptions, mergeOptions, partialOptions, withoutSecrets, type PartialOptions } from './options.ts'

const merge = (present: PartialOptions, sent: object): ReturnType<typeof mergeOptions> => mergeOptions(mergeOptions(defaultOptions, present), partialOptions.parse(sent))

test('what is left out stays', () => {
  assert.deepEqual(mergeOptions(defaultOptions, {}), defaultOptions)
  const changed = merge({ maximumDownloadBytes: 5, notify: { events: ['error'] } }, { minimumRetryDelaySeconds: 60, notify: { minimumIntervalMs: 1 } })
  assert.deepEqual([changed.maximumDownloadBytes, changed.minimumRetryDelaySeconds, changed.notify], [5, 60, { events: ['error'], command: null, minimumIntervalMs: 1 }])
})

test('null takes away what may be null', () => {
  const present = { maximumDownloadBytes: 5, notify: { command: { program: '/bin/true', args: [] } } }
  const changed = merge(present, { maximumDownloadBytes: null, notify: { command: null } })
  assert.deepEqual([changed.maximumDownloadBytes, changed.notify.command], [null, null])
})

test('a header sent as null keeps its value, one left out is gone, an unknown one sent as null is none', () => {
  const changed = merge({ http: { headers: { a: '1', b: '2' } } }, { http: { headers: { a: null, c: '3', d: null } } })
  assert.deepEqual(changed.http.headers, { a: '1', c: '3' })
  assert.deepEqual(merge({ http: { headers: { a: '1' } } }, { http: { redirects: 'disallow' } }).http.headers, { a: '1' })
  assert.deepEqual(merge({ http: { headers: { a: '1' } } }, { http: { headers: {} } }).http.headers, {})
})

test('an answer has the names of headers without their values, and can be sent back as it is', () => {
  const stored = merge({}, { http: { headers: { Authorization: 'secret' } } })
  const shown = withoutSecrets(stored)
  assert.equal(JSON.stringify(shown).includes('secret'), false)
  assert.deepEqual(merge({ http: { headers: stored.http.headers } }, shown), stored)
})

test('a condition of the transfer is refused among the headers, and what is no origin among those that may have them', () => {
  for (const name of ['If-Match', 'if-none-match', 'If-Modified-Since', 'If-Unmodified-Since', 'If-Range', 'Range']) {
    assert.equal(partialOptions.safeParse({ http: { headers: { [name]: 'x' } } }).success, false, name)
  }
  const origins = (...sendHeadersTo: unknown[]): boolean => partialOptions.safeParse({ http: { sendHeadersTo } }).success
  assert.ok(origins('https://cdn.example.org', 'http://127.0.0.1:8080', 'https://[::1]:1'))
  for (const wrong of ['https://a.example/', 'https://a.example:443', 'https://A.example', 'a.example', 'https://*.example', 'https://me@a.example', 'ftp://a', 'null', 1]) {
    assert.equal(origins(wrong), wrong === 'https://*.example', String(wrong))
  }
  assert.equal(origins(...Array.from({ length: 17 }, () => 'https://a.example')), false)
})

test('the defaults are valid options', () => {
  assert.deepEqual(jobOptions.parse(defaultOptions), defaultOptions)
})
