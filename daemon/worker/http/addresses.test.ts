import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cancellation } from '../cancellation.ts'
import { firstToConnect, interleave } from './addresses.ts'

interface Attempt {
  readonly address: string
  readonly connect: () => void
  readonly fail: (code: string) => void
  isCancelled: boolean
}

/** Attempts that end when the test says so. */
function race(addresses: readonly string[], delayMs: number): { won: Promise<string>; attempts: Attempt[]; cancellation: Cancellation } {
  const attempts: Attempt[] = []
  const cancellation = new Cancellation()
  const won = firstToConnect<string>({
    addresses, delayMs, cancellation,
    attempt: (address, own) => new Promise((resolve, reject) => {
      const attempt: Attempt = { address, connect: () => resolve(address), fail: (code) => reject(new Error(code)), isCancelled: false }
      own.onCancel(() => {
        attempt.isCancelled = true
        reject(own.reason)
      })
      attempts.push(attempt)
    }),
  })
  return { won, attempts, cancellation }
}

async function begun(attempts: readonly Attempt[], count: number): Promise<void> {
  while (attempts.length < count) await new Promise((resolve) => { setImmediate(resolve) })
}

test('the families take turns, beginning with the one that the system puts first', () => {
  const four = ['a', 'b', 'c'].map((address) => ({ address, family: 4 }))
  const six = ['x', 'y'].map((address) => ({ address, family: 6 }))
  assert.deepEqual(interleave([...six, ...four]), ['x', 'a', 'y', 'b', 'c'])
  assert.deepEqual(interleave([...four, ...six]), ['a', 'x', 'b', 'y', 'c'])
  assert.deepEqual(interleave(six), ['x', 'y'])
  assert.deepEqual(interleave([]), [])
})

test('an address that is slow goes on beside those that are tried after it, and may still win', async () => {
  const { won, attempts } = race(['slow', 'slower', 'slowest'], 1)
  await begun(attempts, 3)
  assert.deepEqual(attempts.map(({ isCancelled }) => isCancelled), [false, false, false])
  attempts[0]?.connect()
  assert.equal(await won, 'slow')
  assert.deepEqual(attempts.map(({ isCancelled }) => isCancelled), [false, true, true])
})

test('the next address is tried at once where one fails, and none where one has connected', async () => {
  const { won, attempts } = race(['dead', 'alive', 'unneeded'], 3_600_000)
  attempts[0]?.fail('ECONNREFUSED')
  await begun(attempts, 2)
  attempts[1]?.connect()
  assert.equal(await won, 'alive')
  assert.equal(attempts.length, 2)
})

test('where every address fails, what failed first is told, after the last', async () => {
  const { won, attempts } = race(['one', 'two'], 1)
  await begun(attempts, 2)
  attempts[1]?.fail('second')
  attempts[0]?.fail('first')
  await assert.rejects(won, /second/)
})

test('a cancelled race ends every attempt', async () => {
  const { won, attempts, cancellation } = race(['one', 'two'], 1)
  await begun(attempts, 2)
  cancellation.cancel(new Error('enough'))
  await assert.rejects(won, /enough/)
  assert.deepEqual(attempts.map(({ isCancelled }) => isCancelled), [true, true])
})
