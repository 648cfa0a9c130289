import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heaviest, idAt, isTooHeavy, weigh, type Weight } from './weight.ts'

const message = (params: string, id = '7'): string => `{"jsonrpc":"2.0","id":${id},"method":"x","params":${params}}`
const weighed = (params: string, id?: string): Weight => weigh(message(params, id), 64)
const list = (count: number, of: (at: number) => string): string => `[${Array.from({ length: count }, (_, at) => of(at)).join(',')}]`
const object = (count: number, of: (at: number) => string): string => `{${Array.from({ length: count }, (_, at) => of(at)).join(',')}}`

test('a line that is full of ranges or files is not too heavy', () => {
  assert.ok(!isTooHeavy(weighed(list(43_000, (at) => `{"offset":${at},"length":1}`))))
  assert.ok(!isTooHeavy(weighed(list(24_000, () => '{"remoteName":"http://a/","localName":"/a"}'))))
  assert.ok(!isTooHeavy(weighed(object(2000, (at) => `"x-${at}":""`))))
})

test('many values, strings or names are, and the id is known all the same', () => {
  const cases = [
    list(heaviest.values, () => '1'), list(heaviest.values, () => '{}'), list(heaviest.strings, () => '""'), object(90_000, (at) => `"n${at}":0`),
    list(60_000, (at) => `{"n${at}":0}`),
  ]
  for (const params of cases) {
    const weight = weighed(params)
    assert.ok(isTooHeavy(weight), params.slice(0, 20))
    assert.equal(idAt(message(params), weight.idAt), 7)
    const last = `{"params":${params},"id":"a\\"b"}`
    assert.equal(idAt(last, weigh(last, 64).idAt), 'a"b')
  }
})

test('the same name again and again counts as one', () => {
  assert.ok(weighed(list(10_000, () => '{"offset":1,"length":2}')).names <= 6)
})

test('nesting is counted outside of strings only, and to its limit', () => {
  assert.equal(weighed(`${'['.repeat(100)}${']'.repeat(100)}`).isTooDeep, true)
  assert.equal(weighed(`${'['.repeat(60)}${']'.repeat(60)}`).isTooDeep, false)
  assert.equal(weighed(`"${'['.repeat(100)}"`).isTooDeep, false)
  assert.equal(weighed(`"\\"${'['.repeat(100)}"`).isTooDeep, false)
})

test('an id is that of the message, not one inside of it, and a list has none', () => {
  assert.equal(idAt(message('{"id":8}'), weigh(message('{"id":8}'), 64).idAt), 7)
  for (const text of ['[{"id":8}]', '{"params":{"id":8}}', '{"id":[8]}', '{"id":{}}', '{"id"']) assert.equal(idAt(text, weigh(text, 64).idAt), null, text)
})

test('what is no JSON is weighed too', () => {
  for (const text of ['', '"', '"\\', '{', ']]]]', '{"a', '{"id":', '\\"\\', ':::,,,']) assert.ok(!isTooHeavy(weigh(text, 64)))
})
