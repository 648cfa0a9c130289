import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCompressedText } from './content-encoding.ts'
import type { AnswerHeaders } from './header-values.ts'

const cases: readonly (readonly [string | readonly string[] | undefined, string | undefined, boolean])[] = [
  ['gzip', 'text/html; charset=utf-8', true],
  ['x-gzip', 'application/json', true],
  ['br', 'application/atom+xml', true],
  [['gzip', 'br'], 'text/plain', true],
  ['identity', 'text/html', false],
  ['UTF-8', 'text/html', false],
  ['none', 'text/plain', false],
  ['gzip', 'application/x-tar', false],
  ['gzip', 'application/jsonish', false],
  ['gzip', undefined, false],
  [undefined, 'text/html', false],
]

test('a text that was compressed is told from a label, and from a file that is compressed itself', () => {
  for (const [encoding, type, expected] of cases) {
    const headers: AnswerHeaders = { 'content-encoding': encoding, 'content-type': type }
    assert.equal(isCompressedText(headers), expected, `${String(encoding)} ${String(type)}`)
  }
})
