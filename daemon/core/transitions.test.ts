// Every state × happening, written out: what the table must say, from BITS §1.4 and §1.5.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobStates, type JobError, type JobState } from '../../protocol/job.ts'
import { Refusal } from '../../protocol/refusals.ts'
import { newJob, withProgress, type JobRecord } from './job.ts'
import { transition, transitionTable, type Happening, type HappeningKind } from './transitions.ts'

const error: JobError = { context: 'transport', code: 'cannot-connect', message: 'x', fileIndex: 0, httpStatus: null, at: 5, fatal: true, retryAt: null }
const happenings: Readonly<Record<HappeningKind, Happening>> = {
  'resume': { kind: 'resume' }, 'suspend': { kind: 'suspend' }, 'cancel': { kind: 'cancel' }, 'files-added': { kind: 'files-added' }, 'published': { kind: 'published' },
  'slot-given': { kind: 'slot-given' }, 'slot-taken': { kind: 'slot-taken' }, 'connected': { kind: 'connected' }, 'all-done': { kind: 'all-done' },
  'failed-transient': { kind: 'failed-transient', error, troubledSince: 3 }, 'failed-fatal': { kind: 'failed-fatal', error }, 'not-published': { kind: 'not-published', error }, 'rejected': { kind: 'rejected', error },
  'retry-due': { kind: 'retry-due' }, 'no-progress': { kind: 'no-progress', error }, 'busy-too-long': { kind: 'busy-too-long', error }, 'expired': { kind: 'expired' },
}

// `=` succeeds and changes nothing, `!` is refused with invalid-state.
const table = `
                   suspended   queued      connecting       transferring     transient-error error        transferred  acknowledged cancelled
  resume           queued      =           =                =                queued          queued       =            !            !
  suspend          =           suspended   suspended        suspended        suspended       =            =            !            !
  cancel           cancelled   cancelled   cancelled        cancelled        cancelled       cancelled    cancelled    !            !
  files-added      =           =           =                =                =               =            suspended    !            !
  published        acknowledged acknowledged acknowledged   acknowledged     acknowledged    acknowledged acknowledged !            !
  slot-given       =           connecting  =                =                =               =            =            =            =
  slot-taken       =           =           queued           queued           =               =            =            =            =
  connected        =           =           transferring     =                =               =            =            =            =
  all-done         =           =           transferred      transferred      =               =            =            =            =
  failed-transient =           =           transient-error  transient-error  =               =            =            =            =
  failed-fatal     =           =           error            error            =               =            =            =            =
  not-published    =           =           =                =                =               =            error        =            =
  rejected         error       error       error            error            error           error        error        !            !
  retry-due        =           =           =                =                queued          =            =            =            =
  no-progress      =           =           =                =                error           =            =            =            =
  busy-too-long    =           =           error            error            =               =            =            =            =
  expired          cancelled   cancelled   cancelled        cancelled        cancelled       cancelled    cancelled    =            =
`
const [states = [], ...rows] = table.trim().split('\n').map((line) => line.trim().split(/\s+/))

function jobIn(state: JobState, more: Partial<JobRecord> = {}): JobRecord {
  const job = newJob({
    id: 'id', number: 1, owner: { id: '1', name: 'a' }, exempt: false, now: 1, displayName: 'x', type: 'download', description: '', application: null,
    priority: 'normal', options: {}, clientToken: null, files: [{ remoteName: 'http://a/', localName: '/a' }],
  })
  return { ...job, state, ...more }
}

test('the table here names every state and every happening', () => {
  assert.deepEqual(states, [...jobStates])
  assert.deepEqual(rows.map(([kind]) => kind).sort(), Object.keys(happenings).sort())
  for (const state of jobStates) assert.deepEqual(Object.keys(transitionTable[state]).sort(), Object.keys(happenings).sort())
})

for (const [kind = '', ...cells] of rows) {
  test(`${kind} leads from each state where it must`, () => {
    for (const [at, cell] of cells.entries()) {
      const state = states[at] as JobState
      const happening = happenings[kind as HappeningKind]
      if (cell === '!') {
        assert.throws(() => transition(jobIn(state), happening, 10), (thrown) => thrown instanceof Refusal && thrown.kind === 'invalid-state' && thrown.data['state'] === state)
        continue
      }
      const next = transition(jobIn(state), happening, 10)
      assert.equal(next?.job.state ?? '=', cell, `${kind} in ${state}`)
    }
  })
}

test('a job without files cannot be resumed', () => {
  assert.throws(() => transition(jobIn('suspended', { files: [] }), { kind: 'resume' }, 10), { kind: 'empty-job' })
})

test('every change says when; only an end has an end, only transferred has its time', () => {
  for (const state of jobStates) {
    for (const happening of Object.values(happenings)) {
      let next
      try {
        next = transition(jobIn(state), happening, 10)
      } catch (thrown) {
        assert.ok(thrown instanceof Refusal)
        continue
      }
      if (!next) continue
      assert.equal(next.job.modifiedAt, 10)
      assert.equal(next.job.endedAt, next.job.state === 'acknowledged' || next.job.state === 'cancelled' ? 10 : null)
      assert.equal(next.job.transferredAt, next.job.state === 'transferred' ? 10 : null)
      assert.equal(next.job.error !== null, next.job.state === 'error' || next.job.state === 'transient-error')
    }
  }
})

test('only transferred and error raise their events, and a transient error raises none but modification', () => {
  const kindsOf = (state: JobState, happening: Happening): string[] => (transition(jobIn(state), happening, 10)?.events ?? []).map(({ kind }) => kind)
  assert.deepEqual(kindsOf('transferring', { kind: 'all-done' }), ['state', 'transferred'])
  assert.deepEqual(kindsOf('transferring', happenings['failed-fatal']), ['state', 'error'])
  assert.deepEqual(kindsOf('transient-error', happenings['no-progress']), ['state', 'error'])
  assert.deepEqual(kindsOf('transferring', happenings['failed-transient']), ['state', 'modification'])
  assert.deepEqual(kindsOf('transferred', { kind: 'cancel' }), ['state', 'ended'])
})

test('what moves is stopped when it moves no more, and an end removes what is left', () => {
  const effectsOf = (state: JobState, kind: HappeningKind): readonly string[] => transition(jobIn(state), happenings[kind], 10)?.effects ?? []
  assert.deepEqual(effectsOf('transferring', 'suspend'), ['stop-transfers'])
  assert.deepEqual(effectsOf('transferring', 'cancel'), ['stop-transfers', 'remove-partial-files'])
  assert.deepEqual(effectsOf('transferred', 'cancel'), ['remove-partial-files'])
  assert.deepEqual(effectsOf('connecting', 'connected'), [])
})

test('errors are counted and never forgotten; the download time is that since the last resume', () => {
  const failed = transition(jobIn('transferring', { errorCount: 2, busyMs: 100 }), happenings['failed-transient'], 10, 50)?.job
  assert.deepEqual([failed?.errorCount, failed?.busyMs, failed?.troubledSince], [3, 150, 3])
  const resumed = failed && transition(failed, { kind: 'resume' }, 20)?.job
  assert.deepEqual([resumed?.errorCount, resumed?.busyMs, resumed?.error, resumed?.troubledSince], [3, 0, null, null])
  const again = failed && transition(failed, { kind: 'retry-due' }, 20)?.job
  assert.deepEqual([again?.busyMs, again?.troubledSince], [150, 3])
})

test('an ended job is cleaned up after where it had a slot once and not all of it is published', () => {
  const cleaning = (job: JobRecord, kind: 'cancel' | 'published'): boolean | undefined => transition(job, { kind }, 10)?.job.cleaning
  assert.equal(cleaning(jobIn('suspended'), 'cancel'), false)
  assert.equal(cleaning(jobIn('suspended', { started: true }), 'cancel'), true)
  assert.equal(cleaning(withProgress(jobIn('transferred', { started: true }), 0, { done: true, published: true }), 'published'), false)
})
