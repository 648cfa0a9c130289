// The table of BITS §1.5, each state reached for real.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { join } from 'node:path'
import type { JobState } from '../../protocol/job.ts'
import { Daemon } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'

const origin = await startOrigin()
const daemon = await Daemon.start({ config: '[transfer]\nbackgroundSlots = 200\n' })
after(async () => {
  await daemon.close()
  await origin.close()
})
const client = await daemon.client()
let count = 0

before(async () => {
  const body = Buffer.alloc(1000, 'x')
  origin.route('/good', { body })
  origin.route('/stalls', { body, cutAfter: 100, cut: 'stall' })
  origin.route('/silent', { raw: '', keepOpen: true })
  origin.route('/busy', { status: 503 })
  // While a normal job moves, a low one stays queued.
  await make('/stalls', 'transferring')
})

async function make(path: string, state: JobState, more: object = {}): Promise<string> {
  const localName = join(daemon.files, String(count++))
  const { job } = await client.call('job.create', { displayName: path, resume: true, files: [{ remoteName: origin.url(path), localName }], ...more })
  const reached = await client.call('job.wait', { jobId: job.id, states: [state], timeoutSeconds: 20 })
  assert.equal(reached.job.state, state)
  return job.id
}

const makers: Readonly<Record<JobState, () => Promise<string>>> = {
  'suspended': () => make('/good', 'suspended', { resume: false }),
  'queued': () => make('/good', 'queued', { priority: 'low' }),
  'connecting': () => make('/silent', 'connecting'),
  'transferring': () => make('/stalls', 'transferring'),
  'transient-error': () => make('/busy', 'transient-error'),
  'error': () => make('/missing', 'error'),
  'transferred': () => make('/good', 'transferred'),
  'acknowledged': async () => {
    const jobId = await make('/good', 'transferred')
    await client.call('job.complete', { jobId })
    return jobId
  },
  'cancelled': async () => {
    const jobId = await make('/good', 'suspended', { resume: false })
    await client.call('job.cancel', { jobId })
    return jobId
  },
}

const moreFiles = { files: [{ remoteName: origin.url('/good'), localName: join(daemon.files, 'more') }] }
const calls = {
  'job.resume': {}, 'job.suspend': {}, 'job.cancel': {}, 'job.complete': {}, 'job.addFiles': moreFiles, 'job.update': { set: { displayName: 'other' } },
  'file.update': { fileIndex: 0, set: { remoteName: origin.url('/other') } },
} as const

/** The state after the call. */
const legal: Readonly<Record<Exclude<JobState, 'acknowledged' | 'cancelled'>, Readonly<Record<keyof typeof calls, JobState>>>> = {
  'suspended': row('suspended', { 'job.resume': 'queued' }),
  'queued': row('queued', { 'job.suspend': 'suspended' }),
  'connecting': row('connecting', { 'job.suspend': 'suspended' }),
  'transferring': row('transferring', { 'job.suspend': 'suspended' }),
  'transient-error': row('transient-error', { 'job.suspend': 'suspended', 'job.resume': 'queued' }),
  'error': row('error', { 'job.resume': 'queued' }),
  'transferred': row('transferred', { 'job.addFiles': 'suspended' }),
}

function row(stays: JobState, moves: Partial<Record<keyof typeof calls, JobState>>): Record<keyof typeof calls, JobState> {
  return {
    'job.resume': stays, 'job.suspend': stays, 'job.addFiles': stays, 'job.update': stays, 'file.update': stays,
    'job.cancel': 'cancelled', 'job.complete': 'acknowledged', ...moves,
  }
}

for (const [state, expected] of Object.entries(legal) as [keyof typeof legal, (typeof legal)[keyof typeof legal]][]) {
  for (const [method, after] of Object.entries(expected) as [keyof typeof calls, JobState][]) {
    test(`${method} on a job that is ${state} leaves it ${after}`, async () => {
      const jobId = await makers[state]()
      const result = await client.call(method, { jobId, ...calls[method] })
      if ('job' in result) assert.equal(result.job.state, after)
      const { job } = await client.call('job.get', { jobId })
      // A job that was put into the queue may have moved on by now.
      if (after !== 'queued' || state === 'queued') assert.equal(job.state, after)
      if (method === 'job.complete') assert.equal('partial' in result && result.partial, state !== 'transferred')
    })
  }
}

for (const state of ['acknowledged', 'cancelled'] as const) {
  test(`a job that is ${state} refuses every change and answers every read`, async () => {
    const jobId = await makers[state]()
    for (const method of Object.keys(calls) as (keyof typeof calls)[]) {
      const { code, data } = await client.refusal(method, { jobId, ...calls[method] })
      assert.deepEqual([code, data.kind, data['state'], data.retryable], [1002, 'invalid-state', state, false], method)
    }
    assert.equal((await client.call('job.get', { jobId })).job.state, state)
    assert.equal((await client.call('file.get', { jobId, fileIndex: 0 })).file.index, 0)
    assert.equal((await client.call('file.list', { jobId })).files.length, 1)
    assert.equal((await client.call('job.wait', { jobId, timeoutSeconds: 0 })).timedOut, false)
    assert.equal((await client.call('job.explain', { jobId })).reasons[0]?.reason, 'ended')
    assert.ok((await client.call('job.list', { states: [state] })).jobs.some(({ id }) => id === jobId))
    assert.ok(!(await client.call('job.list', {})).jobs.some(({ id }) => id === jobId))
  })
}

test('a job without files completes, and not in part', async () => {
  const { job } = await client.call('job.create', { displayName: 'empty' })
  const { partial, files, job: done } = await client.call('job.complete', { jobId: job.id })
  assert.deepEqual([partial, files, done.state], [false, [], 'acknowledged'])
})

test('a file may not be judged before it is transferred', async () => {
  const jobId = await makers.suspended()
  const { code } = await client.refusal('file.update', { jobId, fileIndex: 0, set: { validation: 'valid' } })
  assert.equal(code, 1002)
})

test('a transferred file that its owner finds invalid puts the job into error, and is fetched again on resume', async () => {
  const jobId = await makers.transferred()
  const { file } = await client.call('file.update', { jobId, fileIndex: 0, set: { validation: 'invalid' } })
  assert.deepEqual([file.validation, file.progress.bytesTransferred], ['invalid', 0])
  const { job } = await client.call('job.get', { jobId })
  assert.deepEqual([job.state, job.error?.code, job.error?.fileIndex, job.error?.fatal], ['error', 'validation-failed', 0, true])
  await client.call('job.resume', { jobId })
  assert.equal((await client.call('job.wait', { jobId })).job.state, 'transferred')
})

test('an added file of a transferred job is fetched on resume, and the rest is not fetched again', async () => {
  const jobId = await makers.transferred()
  const asked = origin.requestsFor('/good').length
  origin.route('/added', { body: Buffer.from('more') })
  const { files } = await client.call('job.addFiles', { jobId, files: [{ remoteName: origin.url('/added'), localName: join(daemon.files, 'added') }] })
  assert.deepEqual(files.map(({ index }) => index), [1])
  await client.call('job.resume', { jobId })
  const { job } = await client.call('job.wait', { jobId })
  assert.deepEqual([job.state, job.progress.filesTotal, job.progress.filesTransferred], ['transferred', 2, 2])
  assert.equal(origin.requestsFor('/good').length, asked)
})

test('a job that waits for a higher priority says so', async () => {
  const jobId = await makers.queued()
  const { job } = await client.call('job.get', { jobId })
  assert.equal(job.waiting?.reason, 'priority')
  const { reasons } = await client.call('job.explain', { jobId })
  assert.deepEqual(reasons[0], job.waiting)
})
