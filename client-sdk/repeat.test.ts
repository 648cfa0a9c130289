import assert from 'node:assert/strict'
import { test } from 'node:test'
import { paramsToRepeat } from './repeat.ts'

test('what only reads may be sent again as it was', () => {
  for (const method of ['job.get', 'job.list', 'job.explain', 'file.list', 'file.get', 'queue.stats', 'system.ping'] as const) {
    assert.deepEqual(paramsToRepeat(method, { jobId: 'x' }, 5000), { jobId: 'x' }, method)
  }
})

test('what changes something is never sent again', () => {
  for (const method of ['job.addFiles', 'job.update', 'job.resume', 'job.suspend', 'job.cancel', 'job.complete', 'callback.register', 'events.watch'] as const) {
    assert.equal(paramsToRepeat(method, { jobId: 'x' }, 0), null, method)
  }
})

test('a creation may be sent again only with a client token', () => {
  assert.equal(paramsToRepeat('job.create', { displayName: 'a' }, 0), null)
  assert.equal(paramsToRepeat('job.create', { displayName: 'a', clientToken: undefined }, 0), null)
  assert.deepEqual(paramsToRepeat('job.create', { displayName: 'a', clientToken: 't' }, 0), { displayName: 'a', clientToken: 't' })
})

test('a wait that is sent again waits only for the time that is left', () => {
  assert.deepEqual(paramsToRepeat('job.wait', { jobId: 'x', timeoutSeconds: 10 }, 4000), { jobId: 'x', timeoutSeconds: 6 })
  assert.deepEqual(paramsToRepeat('job.wait', { jobId: 'x', timeoutSeconds: 10 }, 40_000), { jobId: 'x', timeoutSeconds: 0 })
  assert.deepEqual(paramsToRepeat('job.wait', { jobId: 'x' }, 4000), { jobId: 'x' })
})
