import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestTarget, resolveReference } from './request-target.ts'

test('path and query are asked for as they were named', () => {
  const asNamed = ["/k?filename='a.zip'", '/k/%2e%2e/b?x=1', '/k/../b/./c', '/k?', '/?', '/a|b', '/{a}/^`b"<c>', '/a\\b', '/%zz%', '//a//b', '/a?b?c=%20+&&']
  for (const name of asNamed) assert.equal(requestTarget(`https://me:pw@example.org:8443${name}`), name)
  const others: [string, string][] = [
    ['http://example.org', '/'], ['http://example.org?q', '/?q'], ['http://example.org#f', '/'], ['HTTP://example.org/a#b', '/a'],
    ['http://example.org/a b', '/a%20b'], ['http://example.org/café?ü=中', '/caf%C3%A9?%C3%BC=%E4%B8%AD'],
    ['http://example.org/\u{1f600}', '/%F0%9F%98%80'], ['http://example.org\\a', '/a'],
  ]
  for (const [name, target] of others) assert.equal(requestTarget(name), target, name)
})

test('a reference is resolved as RFC 3986 says, and its bytes stay what they were', () => {
  const from = (reference: string, base = '/b/c/d;p?q'): string => resolveReference(reference, 'http://a', base)
  const latin1 = (text: string): string => Buffer.from(text).toString('latin1')
  const cases: [string, string][] = [
    // RFC 3986 §5.4.1, but for the fragments, which are not sent.
    ['g', 'http://a/b/c/g'], ['./g', 'http://a/b/c/g'], ['g/', 'http://a/b/c/g/'], ['/g', 'http://a/g'], ['?y', 'http://a/b/c/d;p?y'],
    ['g?y', 'http://a/b/c/g?y'], ['#s', 'http://a/b/c/d;p?q'], ['g#s', 'http://a/b/c/g'], [';x', 'http://a/b/c/;x'], ['', 'http://a/b/c/d;p?q'],
    ['.', 'http://a/b/c/'], ['./', 'http://a/b/c/'], ['..', 'http://a/b/'], ['../g', 'http://a/b/g'], ['../..', 'http://a/'], ['../../g', 'http://a/g'],
    // §5.4.2
    ['../../../g', 'http://a/g'], ['/./g', 'http://a/g'], ['/../g', 'http://a/g'], ['g.', 'http://a/b/c/g.'], ['..g', 'http://a/b/c/..g'],
    ['./g/.', 'http://a/b/c/g/'], ['g;x=1/../y', 'http://a/b/c/y'], ['g?y/../x', 'http://a/b/c/g?y/../x'],
    ['//g', 'http://g'], ['https://b/x/%2e%2e/y?', 'https://b/x/%2e%2e/y?'], ['/k?', 'http://a/k?'], ["?sig='", "http://a/b/c/d;p?sig='"],
    [latin1('/café 中.bin'), 'http://a/caf%C3%A9%20%E4%B8%AD.bin'], ['/caf\xe9', 'http://a/caf%E9'], [latin1('http://b/é'), 'http://b/%C3%A9'],
  ]
  for (const [reference, expected] of cases) assert.equal(from(reference), expected, reference)
})
