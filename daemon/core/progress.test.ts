import assert from 'node:assert/strict'
import { test } from 'node:test'
import { furthestOf, newJob, withResumePoint, type JobRecord, type ResumePoint } from './job.ts'

const point = (bytes: number): ResumePoint => ({
  inode: '1', bytesTotal: 100, durable: bytes === 0 ? [] : [[0, bytes]], validator: null, modifiedAt: null,
})
const start: JobRecord = newJob({
  id: '00000000-0000-4000-8000-000000000000', number: 1, owner: { id: '1', name: 'ann' }, exempt: false, now: 0,
  displayName: 'job', type: 'download', description: '', application: null, priority: 'normal', options: {}, clientToken: null,
  files: [{ remoteName: 'http://a/', localName: '/a' }],
})

test('only bytes beyond the furthest point so far end the trouble', () => {
  const steps: readonly (readonly [bytes: number, isProgress: boolean, furthest: number])[] = [
    [10, true, 10], [10, false, 10], [0, false, 10], [9, false, 10], [10, false, 10], [11, true, 11], [0, false, 11], [5, false, 11], [12, true, 12],
  ]
  let job = start
  for (const [bytes, isProgress, furthest] of steps) {
    job = withResumePoint({ ...job, troubledSince: 7 }, 0, point(bytes))
    assert.deepEqual([job.troubledSince === null, furthestOf(job, 0)], [isProgress, furthest], `${bytes}`)
  }
  assert.equal(job.files[0]?.progress.furthest, undefined, 'it is kept only where a start over left less')
})

test('a partial file that is gone is no progress, and neither is fetching it again', () => {
  const gone = withResumePoint(withResumePoint(start, 0, point(10)), 0, null)
  assert.equal(furthestOf(gone, 0), 10)
  assert.equal(withResumePoint({ ...gone, troubledSince: 7 }, 0, point(10)).troubledSince, 7)
})
