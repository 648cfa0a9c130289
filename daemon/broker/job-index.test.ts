import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultOptions } from '../../protocol/options.ts'
import { newJob, type JobRecord } from '../core/job.ts'
import { JobIndex } from './job-index.ts'

function made(number: number, id = `job ${number}`): JobRecord {
  return newJob({
    id, number, owner: { id: '1', name: 'one' }, exempt: false, now: 0, displayName: '', type: 'download', description: '',
    application: null, priority: 'normal', options: defaultOptions, clientToken: null, files: [],
  })
}

const idsAfter = (index: JobIndex, number: number): string[] => [...index.after(number)].map(({ id }) => id)

test('jobs come in the order of their numbers, however they were added', () => {
  const index = new JobIndex()
  for (const number of [5, 1, 9, 3]) index.set(made(number))
  assert.deepEqual(idsAfter(index, 0), ['job 1', 'job 3', 'job 5', 'job 9'])
  assert.deepEqual(idsAfter(index, 3), ['job 5', 'job 9'])
  assert.deepEqual(idsAfter(index, 4), ['job 5', 'job 9'])
  assert.deepEqual(idsAfter(index, 9), [])
})

test('a changed record takes the place of the one before, a deleted one is found in neither way', () => {
  const index = new JobIndex()
  for (const number of [1, 2, 3]) index.set(made(number))
  const changed: JobRecord = { ...made(2), displayName: 'changed' }
  index.set(changed)
  assert.equal(index.get('job 2'), changed)
  assert.deepEqual([...index.after(1)].map(({ displayName }) => displayName), ['changed', ''])
  index.delete('job 2')
  index.delete('job 2')
  assert.equal(index.get('job 2'), null)
  assert.deepEqual(idsAfter(index, 0), ['job 1', 'job 3'])
})

test('two jobs of one number, as a damaged queue may give, are kept apart', () => {
  const index = new JobIndex()
  for (const id of ['a', 'b', 'c']) index.set(made(7, id))
  index.set({ ...made(7, 'b'), displayName: 'changed' })
  index.delete('a')
  assert.deepEqual([...index.after(0)].map(({ id, displayName }) => [id, displayName]), [['b', 'changed'], ['c', '']])
})
