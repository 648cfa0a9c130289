import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Job } from '../../protocol/job.ts'
import { defaultOptions } from '../../protocol/options.ts'
import { progressText } from './progress.ts'

const job: Job = {
  id: '00000000-0000-4000-8000-000000000000', type: 'download', displayName: 'disk.iso', description: '', application: null,
  owner: { id: '0', name: 'root' }, state: 'transferring', priority: 'foreground', createdAt: 0, modifiedAt: 0, transferredAt: null, endedAt: null,
  progress: { bytesTotal: 100_000_000, bytesTransferred: 25_000_000, filesTotal: 1, filesTransferred: 0, bytesPerSecond: 5_000_000 },
  error: null, errorCount: 0, waiting: null, options: defaultOptions,
}

test('a moving job shows how far, how fast and how long still', () => {
  assert.equal(progressText(job, 100), 'disk.iso  [########----------------------]  25%  25.0 MB of 100 MB  5.00 MB/s  15 s to go')
})

test('without a length there is no bar and no time to go', () => {
  assert.equal(progressText({ ...job, progress: { ...job.progress, bytesTotal: null } }, 100), 'disk.iso  25.0 MB  5.00 MB/s')
})

test('a job that waits for its next attempt says when and why', () => {
  const error = { context: 'transport', code: 'cannot-connect', message: 'Nobody listens.', fileIndex: 0, httpStatus: null, at: 0, fatal: false, retryAt: 0 } as const
  assert.match(progressText({ ...job, state: 'transient-error', error, errorCount: 1 }, 200), /waiting for retry at .*: Nobody listens\.$/)
})

test('no line is wider than the terminal', () => {
  for (let columns = 1; columns <= 120; columns++) assert.ok(progressText({ ...job, displayName: 'x'.repeat(200) }, columns).length < columns, String(columns))
})
