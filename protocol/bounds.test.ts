import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import { boundsOf, issuesAtMost, walk } from './bounds.ts'
import { methods } from './methods.ts'

const create = boundsOf(methods['job.create'].params, 'job.create')
const file = { remoteName: 'http://a/', localName: '/a' }

test('every list, record and text that a method takes states its maximum', () => {
  for (const [name, { params }] of Object.entries(methods)) assert.doesNotThrow(() => boundsOf(params, name), name)
})

test('a schema that forgets one is found, wherever it stands', () => {
  const unbounded = [z.array(z.int()), z.record(z.string(), z.int()), z.string(), z.looseObject({}), z.unknown()]
  for (const schema of unbounded) {
    for (const around of [schema, schema.optional(), schema.nullable(), z.array(schema).max(3), z.union([z.int(), schema])]) {
      assert.throws(() => boundsOf(z.strictObject({ around }), 'x'), /^Error: x\.around/)
    }
  }
})

test('what is valid passes, with what may be left out and with null', () => {
  for (const value of [
    { displayName: 'x' },
    { displayName: 'x', application: null, files: [{ ...file, ranges: null }, { ...file, ranges: [{ offset: 0, length: null }] }] },
    { displayName: 'x', options: { http: { headers: { A: 'b', C: null } }, notify: { command: { program: '/a', args: ['b'] } } } },
  ]) assert.deepEqual(walk(value, create), { isHopeless: false, faults: [], unseen: [] })
})

test('a count over its maximum is refused and what is counted is not looked at', () => {
  const many = Array.from({ length: 100_000 }, () => 1)
  const header = (headers: object): object => ({ displayName: 'x', options: { http: { headers } } })
  const named = Object.fromEntries(many.map((_, at) => [`n${at}`, 1]))
  const cases: [unknown, (string | number)[]][] = [
    [{ displayName: 'x', files: [{ ...file, ranges: many }] }, ['files', 0, 'ranges']],
    [{ displayName: 'x', files: many }, ['files']],
    [{ displayName: 'x', options: { notify: { command: { program: '/a', args: many } } } }, ['options', 'notify', 'command', 'args']],
    [{ displayName: 'x', options: { notify: { events: many } } }, ['options', 'notify', 'events']],
    [header(named), ['options', 'http', 'headers']],
    [named, []],
  ]
  for (const [value, path] of cases) {
    const { isHopeless, faults } = walk(value, create)
    assert.deepEqual([isHopeless, faults.map((fault) => fault.path)], [true, [path]])
  }
})

test('of many faults some tens are told', () => {
  const ranges = Array.from({ length: 40_000 }, () => ({ offset: -1 }))
  const { isHopeless, faults } = walk({ displayName: 'x', files: [{ ...file, ranges }] }, create)
  assert.ok(isHopeless && faults.length >= issuesAtMost && faults.length <= issuesAtMost + 2)
  assert.deepEqual(faults[0]?.path.slice(0, 3), ['files', 0, 'ranges'])
})

test('of few faults the path is told, and they are left to the schema', () => {
  const { isHopeless, faults } = walk({ files: [{ ...file, more: 1 }], resume: 'yes' }, create)
  assert.equal(isHopeless, false)
  assert.deepEqual(faults.map(({ path }) => path).sort(), [['displayName'], ['files', 0, 'more'], ['resume']])
})

test('a member named __proto__ is seen at every depth', () => {
  const value: unknown = JSON.parse('{"displayName":"x","__proto__":1,"options":{"http":{"headers":{"__proto__":"x"}}}}')
  assert.deepEqual(walk(value, create).unseen.map(({ path }) => path), [['__proto__'], ['options', 'http', 'headers', '__proto__']])
})
