import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RemovalRetries } from './removal-retries.ts'

const minute = 60_000

test('a removal is tried again after a minute, then ever more rarely, for more than a week', () => {
  const retries = new RemovalRetries()
  const delays: (number | null)[] = []
  do delays.push(retries.next('job', 'ann')); while (delays.at(-1) !== null)
  assert.deepEqual(delays.slice(0, 8), [1, 2, 4, 8, 16, 32, 60, 60].map((minutes) => minutes * minute))
  assert.ok(delays.reduce<number>((sum, delay) => sum + (delay ?? 0), 0) > 7 * 24 * 60 * minute)
})

test('one owner can have only so many waiting, which is nothing to another', () => {
  const retries = new RemovalRetries()
  for (let job = 0; job < 100; job++) assert.equal(retries.next(`ann ${job}`, 'ann'), minute)
  assert.equal(retries.next('one more', 'ann'), null)
  assert.equal(retries.next('his', 'bob'), minute)
  assert.equal(retries.next('ann 0', 'ann'), 2 * minute)
  retries.done('ann 0')
  assert.equal(retries.next('one more', 'ann'), minute)
})
