import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Result } from '../../protocol/methods.ts'
import { Daemon } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'
import type { RawClient } from './support/raw-client.ts'

const origin = await startOrigin()
const daemon = await Daemon.start()
after(async () => {
  await daemon.close()
  await origin.close()
})
const client = await daemon.client()
origin.route('/good', { body: Buffer.from('good') })
let count = 0

async function create(path = '/good', more: object = {}): Promise<string> {
  const files = [{ remoteName: origin.url(path), localName: join(daemon.files, String(count++)) }]
  return (await client.call('job.create', { displayName: 'x', files, ...more })).job.id
}

async function waited(by: RawClient, id: number): Promise<Result<'job.wait'>> {
  return (await by.answer(id)).result as Result<'job.wait'>
}

test('by default it waits for transferred, error, acknowledged or cancelled', async () => {
  const cases: readonly (readonly [string, (jobId: string) => Promise<unknown>])[] = [
    ['transferred', (jobId) => client.call('job.resume', { jobId })],
    ['acknowledged', (jobId) => client.call('job.complete', { jobId })],
    ['cancelled', (jobId) => client.call('job.cancel', { jobId })],
  ]
  for (const [state, act] of cases) {
    const jobId = await create()
    const waiting = client.begin('job.wait', { jobId })
    await act(jobId)
    const { job, timedOut } = await waited(client, waiting)
    assert.deepEqual([job.state, timedOut], [state, false])
  }
  const failed = await create('/nothing', { resume: true })
  assert.equal((await client.call('job.wait', { jobId: failed })).job.state, 'error')
})

test('with a time of 0 it tells how things are', async () => {
  const jobId = await create()
  const { job, timedOut } = await client.call('job.wait', { jobId, timeoutSeconds: 0 })
  assert.deepEqual([job.state, timedOut], ['suspended', true])
  const there = await client.call('job.wait', { jobId, states: ['suspended'], timeoutSeconds: 0 })
  assert.equal(there.timedOut, false)
})

test('after its time it answers with the job as it is, and says so', async () => {
  const jobId = await create()
  const { job, timedOut } = await client.call('job.wait', { jobId, timeoutSeconds: 0.05 })
  assert.deepEqual([job.state, timedOut], ['suspended', true])
})

test('several callers wait for several states, and each gets his own', async () => {
  const jobId = await create()
  const clients = await Promise.all([1, 2, 3].map(() => daemon.client()))
  const suspended = clients.map((each) => each.begin('job.wait', { jobId, states: ['suspended', 'cancelled'] }))
  const ended = clients.map((each) => each.begin('job.wait', { jobId, states: ['cancelled'] }))
  for (const [at, each] of clients.entries()) assert.equal((await waited(each, suspended[at] ?? 0)).job.state, 'suspended')
  await client.call('job.cancel', { jobId })
  for (const [at, each] of clients.entries()) assert.equal((await waited(each, ended[at] ?? 0)).job.state, 'cancelled')
})

test('the end of a job answers whoever waits for a state that will not come any more', async () => {
  const jobId = await create()
  const waiting = client.begin('job.wait', { jobId, states: ['transferred'] })
  await client.call('job.cancel', { jobId })
  const { job } = await waited(client, waiting)
  assert.equal(job.state, 'cancelled')
})

test('a passing state is not missed', async () => {
  const jobId = await create()
  const waiting = client.begin('job.wait', { jobId, states: ['connecting'] })
  await client.call('job.resume', { jobId })
  const { job } = await waited(client, waiting)
  assert.equal(job.state, 'connecting')
})

test('a caller who goes away while he waits leaves nothing behind', async () => {
  const jobId = await create()
  const gone = await daemon.client()
  for (let at = 0; at < 100; at++) gone.begin('job.wait', { jobId })
  await gone.call('system.ping')
  gone.close()
  await client.call('job.cancel', { jobId })
  await client.call('system.ping')
  assert.equal(daemon.said.includes('a call failed inside'), false)
})

test('a stopping daemon does not leave a waiting caller without a word', async () => {
  const other = await Daemon.start()
  try {
    const patient = await other.client()
    const { job } = await patient.call('job.create', { displayName: 'x' })
    patient.begin('job.wait', { jobId: job.id })
    await patient.call('system.ping')
    assert.deepEqual(await other.stop(), { code: 0, signal: null })
    await patient.closed()
  } finally {
    await other.close()
  }
})
