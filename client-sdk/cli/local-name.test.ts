import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { localNameFor, nameFromUrl } from './local-name.ts'

test('the name is the last part of the path, decoded', () => {
  assert.equal(nameFromUrl('https://h/a/b%20c.iso?x=/y#z'), 'b c.iso')
  assert.equal(nameFromUrl('https://h/%E4%BD%A0.txt'), '你.txt')
  assert.equal(nameFromUrl('https://h/100%.txt'), '100%.txt')
})

test('what names nothing becomes a name', () => {
  for (const url of ['https://h', 'https://h/', 'https://h/a/', 'https://h/%2e%2e', 'https://h/%20', 'not a url']) assert.equal(nameFromUrl(url), 'download', url)
})

test('an encoded slash, backslash or control character does not lead out of the folder', () => {
  assert.equal(nameFromUrl('https://h/..%2F..%2Fetc%2Fpasswd'), '.._.._etc_passwd')
  assert.equal(nameFromUrl('https://h/a%5Cb%00c%1B'), 'a_b_c_')
})

test('a long name is cut between characters', () => {
  const name = nameFromUrl(`https://h/${encodeURIComponent('ä'.repeat(300))}`)
  assert.equal(name, 'ä'.repeat(100))
})

test('a folder, or what ends like one, takes the file inside', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-test-'))
  t.after(() => rm(folder, { recursive: true }))
  assert.equal(await localNameFor('https://h/x.iso', folder), join(folder, 'x.iso'))
  assert.equal(await localNameFor('https://h/x.iso', join(folder, 'new/')), join(folder, 'new', 'x.iso'))
  assert.equal(await localNameFor('https://h/x.iso', join(folder, 'y.iso')), join(folder, 'y.iso'))
  assert.equal(await localNameFor('https://h/x.iso', undefined), resolve('x.iso'))
})
