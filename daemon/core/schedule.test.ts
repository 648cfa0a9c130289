// Given what runs and what waits, when it is looked at, then these get a slot and those give theirs back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Priority } from '../../protocol/job.ts'
import { Ready } from './ready.ts'
import { decide, isSlow, whyWaiting, type Running } from './schedule.ts'

const letters = { f: 'foreground', h: 'high', n: 'normal', l: 'low' } as const satisfies Record<string, Priority>

/** `n1.a` is a normal job of owner a; `n1.a*` one whose time slice is over; `n1.a~` one that hardly moved in it. */
function job(text: string): Running {
  const [id = '', ownerId = 'a'] = text.replace(/[*~]+$/, '').split('.')
  return { id, ownerId, priority: letters[id[0] as keyof typeof letters], sliceOver: /[*~]/.test(text), isSlow: text.includes('~') }
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
  ['another owner has his turn, whatever the priorities', 'h1.a* h2.a', 'n1.b', '+n1 -h1'],
  ['another owner waits for no longer than a time slice', 'h1.a h2.a', 'n1.b', ''],
  ['a free slot is for another owner of a lower priority too', 'h1.a', 'n1.b', '+n1'],
  ['strict within each owner', 'h1.a l1.b', 'n1.a n2.b', '+n2 -l1'],
  ['who has one slot does not give it to who has as many', 'h1.a* n1.b*', 'h2.a', '+h2 -h1'],
  ['what hardly moves gives way to what its owner has of a lower priority', 'h1~', 'n1 n2', '+n1 +n2 -h1'],
  ['what hardly moves gives way to anybody', 'h1.a~ n1.b', 'l1.b l2.c', '+l2 -h1'],
  ['what hardly moves gives way before what moves', 'n1.a* n2.a~', 'n3.b', '+n3 -n2'],
  ['what hardly moves goes on where nobody waits', 'h1.a~', '', ''],
  ['what hardly moved takes only what is free', 'n1* n2*', 'n3~.a', ''],
  ['what hardly moved waits for a free slot of another owner', 'n1.a', 'n3.b~', '+n3'],
  ['what hardly moved holds nothing of its owner back', '', 'h1~ n1', '+n1'],
  ['foreground jobs that hardly move give way too', 'f1.a~ f2.a~', 'f3.b', '+f3 -f1'],
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
  assert.equal(whyWaiting(job('l1'), [], ready), 'priority')
  assert.equal(whyWaiting(job('n2'), [], ready), 'slot')
  assert.equal(whyWaiting(job('l1'), [job('f1')], new Ready()), 'slot')
  assert.equal(whyWaiting(job('n2'), [job('h1')], new Ready()), 'priority')
  assert.equal(whyWaiting(job('n2'), [job('h1.b')], new Ready()), 'slot')
  assert.equal(whyWaiting(job('n2'), [job('h1~')], new Ready()), 'slot')
  assert.equal(whyWaiting(job('f1'), [job('h1')], ready), 'slot')
  assert.equal(whyWaiting(job('h1~'), [], ready), 'slow')
})

test('owners take turns with a single slot, whatever number of jobs they queue', () => {
  const ready = new Ready()
  for (const text of ['n1.a', 'n2.a', 'n3.a', 'n4.b', 'n5.b', 'n6.c']) ready.add(job(text))
  const order: string[] = []
  for (let at = 0; at < 6; at++) {
    const [id = ''] = decide([], ready, { foreground: 1, background: 1 }).give
    ready.given(id)
    order.push(id)
  }
  assert.deepEqual(order, ['n1', 'n4', 'n6', 'n2', 'n5', 'n3'])
})

test('a job is slow that moved less than the minimum in its time slice, and still does', () => {
  const at = { moved: 300 * 1023, sliceSeconds: 300, bytesPerSecond: 0, minimum: 1024 }
  assert.equal(isSlow(at), true)
  assert.equal(isSlow({ ...at, moved: 300 * 1024 }), false)
  assert.equal(isSlow({ ...at, bytesPerSecond: 5000 }), false)
  assert.equal(isSlow({ ...at, minimum: 0 }), false)
})

test('a job that waits keeps its place when it is added again, and loses it with another priority', () => {
  const ready = new Ready()
  const waiting = (): string[] => ready.next('background').flatMap(({ jobs }) => [...jobs].map(({ id }) => id))
  for (const text of ['n1', 'n2', 'n1']) ready.add(job(text))
  assert.deepEqual(waiting(), ['n1', 'n2'])
  ready.add({ ...job('n1'), priority: 'low' })
  assert.deepEqual(waiting(), ['n2'])
  assert.equal(ready.size, 2)
  ready.remove('n2')
  assert.deepEqual(waiting(), ['n1'])
})
