// Rule 6, with an origin whose answers stop in the middle.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import type { Job } from '../../protocol/job.ts'
import { Daemon, until } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'

const origin = await startOrigin()
const body = Buffer.alloc(1000)
origin.route('/stalls', { body, cutAfter: 100, cut: 'stall' })

const daemon = await Daemon.start()
const client = await daemon.client()
after(async () => {
  await daemon.close()
  await origin.close()
})
let count = 0

/** The daemon reads a new configuration; what the test started is cancelled after it. */
async function configured(t: TestContext, transfer: string): Promise<void> {
  const times = readAgain()
  daemon.configure(`[transfer]\n${transfer}\n`)
  daemon.signal('SIGHUP')
  await until(() => readAgain() > times, 'the configuration is read')
  t.after(async () => {
    for (const { id } of (await client.call('job.list', {})).jobs) await client.call('job.cancel', { jobId: id })
  })
}

function readAgain(): number {
  return daemon.said.split('the configuration was read again').length
}

async function make(priority: string): Promise<string> {
  const files = [{ remoteName: origin.url('/stalls'), localName: join(daemon.files, String(count++)) }]
  return (await client.call('job.create', { displayName: priority, priority, resume: true, files })).job.id
}

async function stateOf(jobId: string): Promise<string> {
  return (await client.call('job.get', { jobId })).job.state
}

test('a higher priority takes the slot from a lower one at once, and gives it back at its end', async (t) => {
  await configured(t, 'backgroundSlots = 2')
  const low = await make('low')
  await client.call('job.wait', { jobId: low, states: ['transferring'] })
  const normal = await make('normal')
  await client.call('job.wait', { jobId: normal, states: ['transferring'] })
  await until(async () => await stateOf(low) === 'queued', 'the low one is queued although a slot is free')
  const high = await make('high')
  await client.call('job.wait', { jobId: high, states: ['transferring'] })
  await until(async () => await stateOf(normal) === 'queued', 'the normal one is queued')
  assert.equal((await client.call('job.get', { jobId: normal })).job.waiting?.reason, 'priority')
  await client.call('job.cancel', { jobId: high })
  await client.call('job.wait', { jobId: normal, states: ['transferring'] })
  assert.equal(await stateOf(low), 'queued')
  await client.call('job.suspend', { jobId: normal })
  await client.call('job.wait', { jobId: low, states: ['transferring'] })
})

test('a list says what is true now: the bytes that have come, and why a job waits', async (t) => {
  await configured(t, 'backgroundSlots = 1')
  const [first, second] = [await make('normal'), await make('normal')]
  const listed = async (jobId: string): Promise<Job | undefined> => (await client.call('job.list', {})).jobs.find(({ id }) => id === jobId)
  await until(async () => (await listed(first))?.progress.bytesTransferred === 100, 'what has come of the one that moves')
  assert.equal((await listed(second))?.waiting?.reason, 'slot')
  const high = await make('high')
  await client.call('job.wait', { jobId: high, states: ['transferring'] })
  for (const jobId of [first, second]) await until(async () => (await listed(jobId))?.waiting?.reason === 'priority', 'the others wait for it')
})

test('foreground jobs run beside all others, with slots of their own', async (t) => {
  await configured(t, 'backgroundSlots = 1\nforegroundSlots = 2')
  const high = await make('high')
  await client.call('job.wait', { jobId: high, states: ['transferring'] })
  const front = [await make('foreground'), await make('foreground')]
  for (const jobId of front) await client.call('job.wait', { jobId, states: ['transferring'] })
  assert.equal(await stateOf(high), 'transferring')
  const third = await make('foreground')
  assert.equal((await client.call('job.get', { jobId: third })).job.waiting?.reason, 'slot')
  await client.call('job.cancel', { jobId: front[0] })
  await client.call('job.wait', { jobId: third, states: ['transferring'] })
})

test('as many jobs of one priority move as there are slots, the oldest first', async (t) => {
  await configured(t, 'backgroundSlots = 2')
  const jobs: string[] = []
  for (let at = 0; at < 4; at++) jobs.push(await make('normal'))
  for (const jobId of jobs.slice(0, 2)) await client.call('job.wait', { jobId, states: ['transferring'] })
  for (const jobId of jobs.slice(2)) assert.equal(await stateOf(jobId), 'queued')
  await client.call('job.cancel', { jobId: jobs[0] })
  await client.call('job.wait', { jobId: jobs[2], states: ['transferring'] })
  assert.equal(await stateOf(jobs[3] ?? ''), 'queued')
})

test('jobs of one priority take turns by time slice, and keep what they have', async (t) => {
  await configured(t, 'backgroundSlots = 1\ntimeSliceSeconds = 1')
  const jobs = [await make('normal'), await make('normal'), await make('normal')]
  for (let round = 0; round < 2; round++) for (const jobId of jobs) await client.call('job.wait', { jobId, states: ['transferring'], timeoutSeconds: 10 })
  // Each turn goes on where the one before had stopped.
  const bytesOf = async (jobId: string): Promise<number> => (await client.call('job.get', { jobId })).job.progress.bytesTransferred
  for (const jobId of jobs) await until(async () => await bytesOf(jobId) >= 200, 'both turns of a job count')
})

test('a job that hardly moves gives its slot to one of a lower priority that could, says so, and has its turn again', async (t) => {
  await configured(t, 'backgroundSlots = 4\ntimeSliceSeconds = 1')
  const high = await make('high')
  await client.call('job.wait', { jobId: high, states: ['transferring'] })
  origin.route('/moves', { body: Buffer.alloc(400_000), pace: { bytes: 4000, everyMs: 100 } })
  const files = [{ remoteName: origin.url('/moves'), localName: join(daemon.files, 'moves') }]
  const { job } = await client.call('job.create', { displayName: 'moves', priority: 'low', resume: true, files })
  assert.equal((await client.call('job.get', { jobId: job.id })).job.waiting?.reason, 'priority')
  await client.call('job.wait', { jobId: job.id, states: ['transferring'], timeoutSeconds: 10 })
  const { reasons } = await client.call('job.explain', { jobId: high })
  assert.match(reasons[0]?.detail ?? '', /minimumBytesPerSecond/)
  await client.call('job.wait', { jobId: high, states: ['transferring'], timeoutSeconds: 10 })
})

test('a job alone goes on after its time slice', async (t) => {
  await configured(t, 'backgroundSlots = 1\ntimeSliceSeconds = 0.1')
  const jobId = await make('normal')
  await client.call('job.wait', { jobId, states: ['transferring'] })
  assert.equal((await client.call('job.wait', { jobId, states: ['queued', 'connecting'], timeoutSeconds: 0.6 })).timedOut, true)
})

test('of a job, at most filesAtOnce files move at once, and all of them in the end', async (t) => {
  await configured(t, 'filesAtOnce = 3')
  const paths = Array.from({ length: 10 }, (_, at) => `/many${at}`)
  for (const path of paths) origin.route(path, ({ count: before }) => (before === 0 ? { body, cutAfter: 100, cut: 'stall' } : { body }))
  const files = paths.map((path, at) => ({ remoteName: origin.url(path), localName: join(daemon.files, `many${at}`) }))
  const { job } = await client.call('job.create', { displayName: 'many', resume: true, files })
  const moving = async (): Promise<number> => (await client.call('file.list', { jobId: job.id })).files.filter(({ progress }) => progress.bytesTransferred > 0).length
  await until(async () => await moving() === 3, 'three files move')
  assert.equal(origin.requests.filter(({ path }) => path.startsWith('/many')).length, 3)
  for (const path of paths) origin.route(path, { body })
  await client.call('job.suspend', { jobId: job.id })
  await client.call('job.resume', { jobId: job.id })
  const { job: done } = await client.call('job.wait', { jobId: job.id })
  assert.equal(done.progress.filesTransferred, 10)
})
