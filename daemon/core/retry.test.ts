import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failure, failureContexts, type FailureCode } from '../../protocol/failures.ts'
import { defaultOptions, type JobOptions } from '../../protocol/options.ts'
import { classOfFailure, isTransient, isTransientStatus, judgeFailure } from './retry.ts'

const transient: readonly FailureCode[] = [
  'too-many-open-files', 'invalid-server-response', 'name-not-resolved', 'cannot-connect', 'connection-closed', 'connection-timeout', 'tls-failure',
  'worker-lost', 'worker-unavailable', 'internal-error',
]

test('every failure code is transient or fatal as BITS has it, and none is left out', () => {
  for (const code of Object.keys(failureContexts) as FailureCode[]) {
    assert.ok(code in classOfFailure, code)
    if (code !== 'http-error') assert.equal(isTransient(failure(code, 'x')), transient.includes(code), code)
  }
})

test('a status passes by itself or needs somebody to act', () => {
  const passing = [408, 409, 425, 429, 449, 500, 502, 503, 504, 507, 508, 599]
  const lasting = [300, 301, 304, 400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 412, 413, 414, 415, 417, 418, 421, 422, 423, 426, 428, 431, 451, 501, 505]
  for (const status of passing) assert.equal(isTransientStatus(status), true, String(status))
  for (const status of lasting) assert.equal(isTransientStatus(status), false, String(status))
})

function judged(options: Partial<JobOptions>, more: { retryAfterMs?: number; troubledSince?: number; troubledForMs?: number; ownFaults?: number; code?: FailureCode } = {}): ReturnType<typeof judgeFailure> {
  return judgeFailure({
    failure: failure(more.code ?? 'cannot-connect', 'x', { retryAfterMs: more.retryAfterMs ?? null }), fileIndex: 2, options: { ...defaultOptions, ...options },
    troubledSince: more.troubledSince ?? null, troubledForMs: more.troubledForMs ?? 0, now: 1_000_000, served: 7000, ownFaults: more.ownFaults ?? 0,
  })
}

test('the next attempt comes after the minimum retry delay, or after a longer Retry-After', () => {
  assert.deepEqual([judged({}).retryInMs, judged({}).error.retryAt, judged({}).error.fatal], [600_000, 1_600_000, false])
  assert.equal(judged({}, { retryAfterMs: 700_000 }).retryInMs, 700_000)
  assert.equal(judged({}, { retryAfterMs: 1000 }).retryInMs, 600_000)
  assert.equal(judged({ minimumRetryDelaySeconds: 5 }, { retryAfterMs: 7000 }).retryInMs, 7000)
})

test('a fatal failure has no next attempt', () => {
  const { error, retryInMs, troubledSince } = judged({}, { code: 'disk-full' })
  assert.deepEqual([error.fatal, error.retryAt, error.context, error.fileIndex, retryInMs, troubledSince], [true, null, 'local-file', 2, null, null])
})

test('with a no-progress timeout of 0, or shorter than the delay, every failure is fatal', () => {
  assert.equal(judged({ noProgressTimeoutSeconds: 0 }).error.fatal, true)
  assert.equal(judged({ noProgressTimeoutSeconds: 599 }).error.fatal, true)
  assert.equal(judged({ noProgressTimeoutSeconds: 600 }).error.fatal, false)
  assert.equal(judged({ noProgressTimeoutSeconds: 0 }).error.code, 'cannot-connect')
})

test('trouble that has lasted for the timeout is fatal, and begins once', () => {
  assert.equal(judged({}).troubledSince, 7000)
  assert.equal(judged({}, { troubledSince: 5, troubledForMs: 1000 }).troubledSince, 5)
  const stuck = judged({}, { troubledSince: 5, troubledForMs: 1_209_600_000 })
  assert.deepEqual([stuck.error.code, stuck.error.context, stuck.error.fatal, stuck.retryInMs], ['no-progress', 'queue-manager', true, null])
})

test('a fault of our own is tried again within seconds, then after longer and longer, and never later than what else passes', () => {
  const delays = [1, 2, 3, 4, 5, 6, 50].map((ownFaults) => judged({}, { code: 'worker-lost', ownFaults }).retryInMs)
  assert.deepEqual(delays, [2000, 8000, 32_000, 128_000, 512_000, 600_000, 600_000])
  assert.equal(judged({ minimumRetryDelaySeconds: 3600 }, { code: 'internal-error', ownFaults: 50 }).retryInMs, 3_600_000)
  assert.equal(judged({}, { code: 'worker-unavailable', ownFaults: 1 }).retryInMs, 2000)
})
