import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventKinds, type EventKind } from '../../../protocol/options.ts'
import type { StoredEvent } from '../../core/event.ts'
import { newJob, type JobRecord } from '../../core/job.ts'
import { CallLines } from './call-lines.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { lastToTell, replayOf } from './delivery.ts'
import { retryDelayMs } from './settings.ts'

const everyKind = new Set<EventKind>(eventKinds)

function jobWith(more: Partial<JobRecord>, events: readonly EventKind[] = eventKinds): JobRecord {
  const job = newJob({
    id: 'j', number: 1, owner: { id: '1', name: 'ann' }, exempt: false, now: 0, displayName: 'j', type: 'download', description: '',
    application: null, priority: 'normal', options: { notify: { events: [...events] } }, clientToken: null, files: [],
  })
  return { ...job, ...more }
}

function event(sequence: number, kind: StoredEvent['kind']): StoredEvent {
  return { sequence, kind, deliveryId: `d${sequence}`, at: 0, jobId: 'j', ownerId: '1', fileIndex: null, error: null }
}
const transferred = jobWith({ state: 'transferred', stateEvent: { kind: 'transferred', deliveryId: 'd9', sequence: 9 } })
const numbers = (events: readonly StoredEvent[]): number[] => events.map(({ sequence }) => sequence)

test('a replay has every unacknowledged event and that of the present state, in order and once', () => {
  assert.deepEqual(numbers(replayOf(transferred, [], everyKind)), [9])
  assert.deepEqual(numbers(replayOf(transferred, [event(3, 'file-transferred'), event(9, 'transferred')], everyKind)), [3, 9])
  assert.deepEqual(numbers(replayOf(transferred, [event(3, 'error')], everyKind)), [3, 9])
  assert.equal(replayOf(transferred, [], everyKind)[0]?.deliveryId, 'd9')
})

test('a replay has only the kinds that the registration wants and the job raises', () => {
  const pending = [event(3, 'file-transferred'), event(9, 'transferred')]
  assert.deepEqual(numbers(replayOf(transferred, pending, new Set(['file-transferred']))), [3])
  const quiet = jobWith({ state: transferred.state, stateEvent: transferred.stateEvent }, ['error'])
  assert.deepEqual(numbers(replayOf(quiet, pending, everyKind)), [])
})

test('a job that is in neither state replays only what nobody acknowledged', () => {
  const queued = jobWith({ state: 'queued', stateEvent: null })
  assert.deepEqual(numbers(replayOf(queued, [event(4, 'error')], everyKind)), [4])
  assert.deepEqual(numbers(replayOf(queued, [], everyKind)), [])
})

test('a file that is not acknowledged holds back what comes after it, while there is an endpoint for it', () => {
  const pending = [event(2, 'error'), event(3, 'file-transferred'), event(4, 'file-transferred'), event(9, 'transferred')]
  assert.equal(lastToTell(transferred, pending, true), 3)
  assert.equal(lastToTell(transferred, pending, false), Infinity)
  assert.equal(lastToTell(transferred, [event(9, 'transferred')], true), Infinity)
  assert.equal(lastToTell(jobWith({}, ['transferred']), pending, true), Infinity)
})

test('the delay doubles from the first to the longest', () => {
  const settings = { answerTimeoutSeconds: 30, commandTimeoutSeconds: 300, retrySeconds: 1, retryMaximumSeconds: 300, atOncePerUser: 4 }
  assert.deepEqual([1, 2, 3, 9, 10, 5000].map((failures) => retryDelayMs(settings, failures)), [1000, 2000, 4000, 256_000, 300_000, 300_000])
})

test('a line makes so many calls at once, in order, the hurried first, and leaves out what is not wanted any more', async () => {
  const lines = new CallLines(() => 2)
  const made: string[] = []
  const ends = new Map<string, () => void>()
  const call = (name: string) => (): Promise<void> => {
    made.push(name)
    return new Promise((resolve) => ends.set(name, resolve))
  }
  for (const name of ['a', 'b', 'c', 'd']) lines.ask('ann', 'first', call(name))
  lines.ask('ann', 'first', () => null)
  lines.ask('ann', 'last', call('m'))
  lines.ask('ann', 'first', call('e'))
  lines.ask('bob', 'last', call('bob'))
  assert.deepEqual(made, ['a', 'b', 'bob'])
  for (const name of ['b', 'a', 'c', 'd', 'e']) {
    ends.get(name)?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(made, ['a', 'b', 'bob', 'c', 'd', 'e', 'm'])
})

test('a cursor comes back as it was, and nothing else is one', () => {
  assert.equal(readCursor(writeCursor(100_001)), 100_001)
  for (const text of ['', 'after 3', writeCursor(-1), 'AAAA']) assert.throws(() => readCursor(text), { kind: 'invalid-params' })
})
