// The broker treats each worker as its owner's own program: whatever it sends or does not send, the daemon lives, only the jobs of
// that owner fail, as transient, and the calls of others are answered.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Job } from '../../protocol/job.ts'
import { Refusal } from '../../protocol/refusals.ts'
import { until } from './support/daemon.ts'
import { startSystemDaemon, type SystemDaemon } from './support/system-daemon.ts'
import { callAs, onlyRoot, openUsers, type TestCaller, type User, type Users } from './support/users.ts'

let users: Users | null = null
let daemon: SystemDaemon
let ann: TestCaller
let bob: TestCaller

before(async () => {
  // Without root there is one user, who plays both.
  if (onlyRoot === false) users = openUsers()
  const make = (name: string): User | null => users?.make(name) ?? null
  const [first, second] = [make('ann'), make('bob')]
  daemon = await startSystemDaemon({ worker: join(import.meta.dirname, 'support', 'hostile-worker.ts'), mode: users ? 'system' : 'user' })
  ann = callAs(daemon.socket, first)
  bob = callAs(daemon.socket, second)
})

after(async () => {
  await ann?.close()
  await bob?.close()
  await daemon?.close()
  users?.close()
})

async function start(caller: TestCaller, trick: string): Promise<string> {
  const { job } = await caller.call('job.create', {
    displayName: trick, resume: true, priority: 'foreground', files: [{ remoteName: `http://127.0.0.1:9/${trick}`, localName: `/nowhere/${trick}` }],
  })
  return job.id
}

async function reached(caller: TestCaller, jobId: string, holds: (job: Job) => boolean): Promise<Job> {
  const look = async (): Promise<Job> => (await caller.call('job.get', { jobId })).job
  await until(async () => holds(await look()), 'the state that was waited for')
  return await look()
}

const ending = [
  'exits', 'unknown-method', 'asks-unknown', 'not-json', 'not-utf8', 'null', 'empty-batch', 'too-deep', 'huge-line', 'ready-again',
  'other-transfer', 'earlier-transfer', 'wrong-phase', 'done-twice', 'wrong-shape', 'more-members', 'unknown-failure',
]
for (const trick of ending) {
  test(`a worker that plays "${trick}" loses its jobs as worker-lost, and nobody else notices`, async () => {
    const theirs = await start(bob, 'honest')
    const jobId = await start(ann, trick)
    const job = await reached(ann, jobId, ({ state }) => state === 'transient-error')
    assert.equal(job.error?.code, 'worker-lost')
    assert.equal(job.error?.context, 'queue-manager')
    if (users) assert.equal((await reached(bob, theirs, ({ state }) => state === 'transferred')).error, null)
    await bob.call('system.ping', {})
    await ann.call('job.cancel', { jobId })
    await bob.call('job.cancel', { jobId: theirs })
  })
}

for (const trick of ['answers-nonsense', 'answers-null', 'answers-too-few']) {
  test(`a worker that plays "${trick}" publishes nothing, and its end is told`, async () => {
    const jobId = await start(ann, trick)
    await reached(ann, jobId, ({ state }) => state === 'transferred')
    const refused = await ann.call('job.complete', { jobId }).then(() => null, (error: unknown) => error)
    assert.ok(refused instanceof Refusal && refused.kind === 'publish-failed')
    assert.deepEqual((refused.data['files'] as { code: string }[]).map(({ code }) => code), ['worker-lost'])
    assert.equal((await ann.call('job.get', { jobId })).job.state, 'transferred')
    await bob.call('system.ping', {})
    // The removal goes to a new worker, which was not told to lie.
    assert.equal((await ann.call('job.cancel', { jobId })).job.state, 'cancelled')
  })
}

for (const trick of ['floods', 'floods-checkpoints']) {
  test(`while a worker plays "${trick}" others are answered, and their jobs move`, { skip: onlyRoot }, async () => {
    const jobId = await start(ann, trick)
    await reached(ann, jobId, ({ state }) => state === 'transferring' || state === 'transferred')
    for (let count = 0; count < 50; count++) await bob.call('system.ping', {})
    const theirs = await start(bob, 'honest')
    await reached(bob, theirs, ({ state }) => state === 'transferred')
  })
}

test('what a worker writes into the log is bounded', async () => {
  const theirs = await start(bob, 'logs')
  await reached(bob, theirs, ({ state }) => state === 'transferred')
  for (let count = 0; count < 50; count++) await ann.call('system.ping', {})
  await until(() => daemon.logged().includes('lines more were not logged'), 'the end of what is logged')
})

test('the daemon still runs, and stops in order beside workers that answer nothing', async () => {
  for (const trick of ['says-nothing', 'never-reads']) await reached(ann, await start(ann, trick), ({ state }) => state === 'connecting')
  await daemon.stop()
  assert.match(daemon.logged(), /"a worker is ended"/)
  assert.ok(daemon.logged().split('\n').filter((line) => line.includes('"line":"x"')).length < 20_000)
  assert.doesNotMatch(daemon.logged(), /a defect ends the daemon/)
  await daemon.start()
})
