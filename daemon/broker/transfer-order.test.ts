import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newJob, type JobRecord } from '../core/job.ts'
import type { Priority } from '../../protocol/job.ts'
import { orderFor } from './transfer-order.ts'

function connectionsOf(priority: Priority, connections: number | null): number | null {
  const job: JobRecord = newJob({
    id: '00000000-0000-4000-8000-000000000000', number: 1, owner: { id: '1', name: 'ann' }, exempt: false, now: 0,
    displayName: 'job', type: 'download', description: '', application: null, priority, options: { connections }, clientToken: null,
    files: [{ remoteName: 'http://a/', localName: '/a' }],
  })
  const [file] = job.files
  assert.ok(file)
  return orderFor(1, job, file).connections
}

test('only a foreground job may open further connections by itself; a number that the job names holds for all', () => {
  assert.equal(connectionsOf('foreground', null), null)
  for (const priority of ['high', 'normal', 'low'] as const) {
    assert.equal(connectionsOf(priority, null), 1, priority)
    assert.equal(connectionsOf(priority, 4), 4, priority)
  }
  assert.equal(connectionsOf('foreground', 1), 1)
})
