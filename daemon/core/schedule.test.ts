// Given what runs and what waits, when it is looked at, then these get a slot and those give theirs back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Priority } from '../../protocol/job.ts'
import { Ready } from './ready.ts'
import { decide, whyWaiting, type Running } from './schedule.ts'

const letters = { f: 'foreground', h: 'high', n: 'normal', l: 'low' } as const satisfies Record<string, Priority>

/** `n1.a` is a normal job of owner a; `n1.a*` one whose time slice is over. */
function job(text: string): Running {
  const [id = '', rest = 'a'] = text.replace('*', '').split('.')
  return { id, ownerId: rest, priority: letters[id[0] as keyof typeof letters], sliceOver: text.endsWith('*') }
}

function decided(running: string, waiting: string, slots = { foreground: 2, background: 2 }): string {
  const ready = new Ready()
  for (const text of words(waiting)) ready.add(job(text))
  const { give, take } = decide(words(running).map(job), ready, slots)
  return [...give.map((id) => `+${id}`), ...take.map((id) => `-${id}`)].join(' ')
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}

const cases: readonly (readonly [claim: string, running: string, waiting: string, decision: string])[] = [
  ['nothing to do', '', '', ''],
  ['free slots go to those who wait longest', '', 'n1 n2 n3', '+n1 +n2'],
  ['foreground has slots of its own', 'n1 n2', 'f1 f2 f3', '+f1 +f2'],
  ['a higher priority takes every background slot', 'l1 l2', 'h1', '+h1 -l1 -l2'],
  ['a lower priority gets nothing while a higher one moves, although a slot is free', 'h1', 'n1 l1', ''],
  ['the highest that waits goes first', '', 'l1 n1 h1', '+h1'],
  ['foreground does not hold back the others', 'f1', 'l1', '+l1'],
  ['with every slot taken nobody is moved', 'n1 n2', 'n3', ''],
  ['a used-up time slice makes room for one who waits', 'n1* n2', 'n3', '+n3 -n1'],
  ['a used-up time slice makes room for one only, where one waits', 'n1* n2*', 'n3', '+n3 -n1'],
  ['a free slot is given before a slice is ended', 'n1*', 'n2', '+n2'],
  ['nobody waits, so a used-up slice goes on', 'n1* n2*', '', ''],
  ['owners take turns, whatever number of jobs they queue', '', 'n1.a n2.a n3.a n4.b', '+n1 +n4'],
  ['who has a slot waits for who has none', 'n1.a', 'n2.a n3.b', '+n3'],
  ['slots that the configuration took away are given back', 'n1 n2 n3', '', '-n3'],
  ['foreground takes turns too', 'f1* f2', 'f3', '+f3 -f1'],
]
for (const [claim, running, waiting, decision] of cases) {
  test(claim, () => assert.equal(decided(running, waiting), decision))
}

test('one slot in all is enough for everybody in turn', () => {
  assert.equal(decided('n1*', 'n2', { foreground: 1, background: 1 }), '+n2 -n1')
})

test('a job is told whether it waits for a slot or for a higher priority', () => {
  const ready = new Ready()
  ready.add(job('n1'))
  assert.equal(whyWaiting('low', [], ready), 'priority')
  assert.equal(whyWaiting('normal', [], ready), 'slot')
  assert.equal(whyWaiting('low', [job('f1')], new Ready()), 'slot')
  assert.equal(whyWaiting('normal', [job('h1')], new Ready()), 'priority')
  assert.equal(whyWaiting('foreground', [job('h1')], ready), 'slot')
})

test('a job that waits keeps its place when it is added again, and loses it with another priority', () => {
  const ready = new Ready()
  for (const text of ['n1', 'n2', 'n1']) ready.add(job(text))
  assert.deepEqual(ready.pick('normal', 2, new Map()).map(({ id }) => id), ['n1', 'n2'])
  ready.add({ ...job('n1'), priority: 'low' })
  assert.deepEqual(ready.pick('normal', 2, new Map()).map(({ id }) => id), ['n2'])
  assert.equal(ready.size, 2)
  ready.remove('n2')
  assert.equal(ready.isEmpty('normal'), true)
})
