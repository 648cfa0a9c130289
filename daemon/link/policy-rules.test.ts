import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstFor, isFolderAllowed, isRemoteNameAllowed } from './policy-rules.ts'

test('a folder is allowed with what lies below it; a star is one name, a tilde the home', () => {
  const cases: readonly (readonly [patterns: string[] | null, folder: string, isAllowed: boolean])[] = [
    [null, '/etc', true], [[], '/tmp', false], [['/'], '/etc', true],
    [['/srv/data'], '/srv/data', true], [['/srv/data'], '/srv/data/a/b', true], [['/srv/data/'], '/srv//data/a', true],
    [['/srv/data'], '/srv/database', false], [['/srv/data'], '/srv', false],
    [['/home/*/in'], '/home/ann/in/x', true], [['/home/*/in'], '/home/ann/out', false], [['/home/*/in'], '/home/a/b/in', false],
    [['~'], '/home/ann/x', true], [['~/in'], '/home/ann/in', true], [['~/in'], '/home/ann', false], [['~'], '/home/annabel', false],
    [['/a', '/b'], '/b/c', true],
  ]
  for (const [patterns, folder, isAllowed] of cases) assert.equal(isFolderAllowed(patterns, folder, '/home/ann'), isAllowed, `${patterns} ${folder}`)
})

test('a remote name is judged by its host and its path; a star in the host leaves the host nowhere', () => {
  const cases: readonly (readonly [pattern: string, remoteName: string, isAllowed: boolean])[] = [
    ['https://example.org/*', 'https://example.org/a?b=c', true], ['https://example.org', 'https://example.org/a', true],
    ['https://example.org/*', 'http://example.org/a', false], ['https://example.org/*', 'https://example.org:444/a', false],
    ['https://*.example.org/*', 'https://a.b.example.org/x', true], ['https://*.example.org/*', 'https://example.org/x', false],
    ['https://*.example.org/*', 'https://evil.net/a.example.org/', false], ['https://*.example.org/*', 'https://evil.net?.example.org/', false],
    ['https://example.org/*', 'https://example.org@evil.net/', false], ['https://example.org/*', 'https://user:pw@example.org/x', true],
    ['https://example.org/pub/*', 'https://example.org/pub/../secret', false], ['https://example.org/pub/*', 'https://EXAMPLE.org/pub/x', true],
    ['https://example.org/*', 'https://exampleXorg/', false],
  ]
  for (const [pattern, remoteName, isAllowed] of cases) assert.equal(isRemoteNameAllowed([pattern], remoteName), isAllowed, `${pattern} ${remoteName}`)
  assert.equal(isRemoteNameAllowed(null, 'http://a/'), true)
})

test('the first table for a group goes before one for everybody, wherever that stands', () => {
  const tables = [{ groupId: null, is: 'all' }, { groupId: 7, is: 'seven' }, { groupId: 5, is: 'five' }]
  assert.equal(firstFor(tables, [1, 5, 7])?.is, 'seven')
  assert.equal(firstFor(tables, [1])?.is, 'all')
  assert.equal(firstFor([], [1]), null)
})
