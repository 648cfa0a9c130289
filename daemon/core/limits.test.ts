import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobStates, type FileSpec } from '../../protocol/job.ts'
import { mayTouch, ownersListed, requireAdmin, type Caller } from './access.ts'
import { newJob, withProgress } from './job.ts'
import { checkFiles, checkJobCount, type Limits } from './limits.ts'
import { recover, remainingMs } from './recovery.ts'

const limits: Limits = { jobsPerMachine: 5, jobsPerUser: 2, filesPerJob: 3, rangesPerFile: 4 }
const file: FileSpec = { remoteName: 'http://a/', localName: '/a' }
const user: Caller = { id: '1', name: 'a', role: 'user', isExempt: false }
const admin: Caller = { id: '0', name: 'root', role: 'admin', isExempt: true }

test('the limits bind at their number, name the user\'s first, and bind no exempt', () => {
  const refused = (onMachine: number, ofUser: number, isExempt = false): string | null => {
    try {
      checkJobCount(limits, { onMachine, ofUser }, isExempt)
      return null
    } catch (error) {
      return (error as { kind: string }).kind
    }
  }
  assert.deepEqual([refused(4, 1), refused(4, 2), refused(5, 1), refused(5, 2), refused(50, 50, true)],
    [null, 'too-many-jobs-of-user', 'too-many-jobs-on-machine', 'too-many-jobs-of-user', null])
})

test('files and ranges are counted with those that are there', () => {
  const ranges = Array.from({ length: 5 }, (_, at) => ({ offset: at, length: 1 }))
  checkFiles(limits, 0, [file, file, file], false)
  checkFiles(limits, 2, [file], false)
  assert.throws(() => checkFiles(limits, 2, [file, file], false), { kind: 'too-many-files-in-job' })
  assert.throws(() => checkFiles(limits, 0, [file, { ...file, ranges }], false), { kind: 'too-many-ranges-in-file' })
  checkFiles(limits, 0, [{ ...file, ranges: ranges.slice(1) }], false)
  checkFiles(limits, 100, [{ ...file, ranges }], true)
})

test('a user touches his own, an admin everybody\'s', () => {
  const hers = { owner: { id: '2', name: 'b' } }
  const his = { owner: { id: '1', name: 'a' } }
  assert.deepEqual([mayTouch(user, his), mayTouch(user, hers), mayTouch(admin, hers)], [true, false, true])
  assert.deepEqual([ownersListed(user, 'me'), ownersListed(user, '1'), ownersListed(admin, 'all'), ownersListed(admin, '2')], ['1', '1', null, '2'])
  for (const asked of ['all', '2']) assert.throws(() => ownersListed(user, asked), { kind: 'access-denied' })
  assert.throws(() => requireAdmin(user), { kind: 'access-denied' })
})

test('at the start what moved is queued again, and everything else is as it was', () => {
  const job = newJob({ id: 'x', number: 1, owner: { id: '1', name: 'a' }, exempt: false, now: 1, displayName: 'x', type: 'download', description: '', application: null, priority: 'normal', options: {}, clientToken: null, files: [file] })
  for (const state of jobStates) {
    const expected = state === 'connecting' || state === 'transferring' ? 'queued' : state
    const stored = withProgress({ ...job, state }, 0, { done: state === 'transferred' })
    assert.deepEqual(recover(stored), { ...stored, state: expected })
  }
})

test('a recorded time counts across a restart, but a clock that was set back makes no wait longer', () => {
  assert.deepEqual([remainingMs(1500, 1000, 600), remainingMs(900, 1000, 600), remainingMs(999_999, 1000, 600)], [500, 0, 600])
})
