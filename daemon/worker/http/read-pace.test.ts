import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadPace } from './read-pace.ts'

/** Reads a link of `bytesPerMs` that holds back at most `windowBytes`, for one second; gives bytes read and number of reads. */
function readLink(bytesPerMs: number, windowBytes: number): { bytes: number; reads: number } {
  const pace = new ReadPace()
  let [bytes, reads, now, waitMs] = [0, 0, 0, 0.1]
  while (now < 1000) {
    now += waitMs
    const gathered = Math.min(waitMs * bytesPerMs, windowBytes)
    bytes += gathered
    reads += 1
    waitMs = Math.max(pace.after(gathered, now), 0.1)
  }
  return { bytes, reads }
}

test('a slow link is read seldom and in full', () => {
  for (const megabits of [1, 10, 100]) {
    const bytesPerMs = megabits * 125
    const { bytes, reads } = readLink(bytesPerMs, 64 * 1024)
    assert.ok(bytes >= 0.99 * bytesPerMs * 1000, `${megabits} Mbit/s: ${bytes} bytes`)
    assert.ok(reads < 1500, `${megabits} Mbit/s: ${reads} reads`)
  }
})

test('a fast link is never waited for, even with the smallest window', () => {
  for (const bytesPerMs of [20_000, 125_000]) assert.ok(readLink(bytesPerMs, 64 * 1024).bytes >= 0.99 * bytesPerMs * 1000)
})

test('a link that becomes fast is noticed within a few reads', () => {
  const pace = new ReadPace()
  for (let now = 0; now <= 200; now += 10) pace.after(1000, now)
  const waits = Array.from({ length: 6 }, (_, index) => pace.after(64 * 1024, 300 + index))
  assert.equal(waits.at(-1), 0)
})

test('where the window is large, a slow link is read more and more seldom', () => {
  const pace = new ReadPace()
  let [reads, waitMs] = [0, 0.1]
  for (let now = 0; now < 10_000; now += waitMs) {
    waitMs = Math.max(pace.after(waitMs * 12_500, now), 0.1)
    if (now > 5000) reads += 1
  }
  assert.ok(reads < 350, `${reads} reads in five seconds`)
})

test('a window that is smaller than what is aimed at is noticed, and little is lost', () => {
  const pace = new ReadPace()
  let [bytes, waitMs] = [0, 0.1]
  for (let now = 0; now < 10_000; now += waitMs) {
    const gathered = Math.min(waitMs * 12_500, 64 * 1024)
    bytes += gathered
    waitMs = Math.max(pace.after(gathered, now), 0.1)
  }
  assert.ok(bytes > 0.98 * 12_500 * 10_000, `${bytes} bytes`)
})

test('where reads come late and unevenly, a slow link is still read seldom and in full', () => {
  const pace = new ReadPace()
  let [bytes, reads, now, waitMs, seed] = [0, 0, 0, 0.1, 1]
  while (now < 10_000) {
    seed = (seed * 48_271) % 2_147_483_647
    // Every tenth time the machine does something else for up to 30 ms.
    const lateMs = seed % 10 === 0 ? seed % 30 : 0
    now += waitMs + lateMs
    const gathered = Math.min((waitMs + lateMs) * 12_500, 1024 * 1024)
    bytes += gathered
    if (now > 2000) reads += 1
    waitMs = Math.max(pace.after(gathered, now), 0.1)
  }
  assert.ok(bytes > 0.99 * 12_500 * 10_000, `${bytes} bytes`)
  assert.ok(reads < 2000, `${reads} reads in eight seconds`)
})
