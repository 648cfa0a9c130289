// Rule 2. As root the callers are users of the machine's whole daemon; otherwise the one user that there is.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { alice, bob, Daemon, isRoot, needsRoot } from './support/daemon.ts'
import type { RawClient } from './support/raw-client.ts'

const daemon = await Daemon.start({ mode: isRoot ? 'system' : 'user' })
after(() => daemon.close())
const user = await daemon.client(isRoot ? alice : null)

const file = (at: number): object => ({ remoteName: 'http://127.0.0.1/a', localName: `/tmp/never-${at}` })
const files = (count: number): object[] => Array.from({ length: count }, (_, at) => file(at))
const ranges = (count: number): object[] => Array.from({ length: count }, (_, at) => ({ offset: at * 2, length: 1 }))

async function create(client: RawClient, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => client.begin('job.create', { displayName: String(at) }))
  return await Promise.all(ids.map(async (id) => {
    const { result, error } = await client.answer(id)
    if (error) throw new Error(JSON.stringify(error))
    return (result as { job: { id: string } }).job.id
  }))
}

async function expectLimit(client: RawClient, method: string, params: object, code: number, kind: string, limit: number): Promise<void> {
  const { code: found, data } = await client.refusal(method, params)
  assert.deepEqual([found, data.kind, data['limit'], data.retryable], [code, kind, limit, false])
}

test('a user has 60 unfinished jobs and not 61, however fast he asks', async () => {
  const ids = await create(user, 59)
  const racing = Array.from({ length: 20 }, () => user.ask('job.create', { displayName: 'racing' }))
  const answers = await Promise.all(racing)
  assert.equal(answers.filter(({ error }) => !error).length, 1)
  for (const { error } of answers) if (error) assert.deepEqual([error.code, error.data.kind, error.data['limit']], [1006, 'too-many-jobs-of-user', 60])
  assert.equal((await user.call('job.list', {})).jobs.length, 60)
  await user.call('job.cancel', { jobId: ids[0] })
  await create(user, 1)
  await expectLimit(user, 'job.create', { displayName: 'x' }, 1006, 'too-many-jobs-of-user', 60)
})

test('the limit holds after a restart, and ended jobs do not count', async () => {
  await daemon.kill9()
  await daemon.start()
  const again = await daemon.client(isRoot ? alice : null)
  assert.equal((await again.call('job.list', {})).jobs.length, 60)
  await expectLimit(again, 'job.create', { displayName: 'x' }, 1006, 'too-many-jobs-of-user', 60)
  for (const { id } of (await again.call('job.list', {})).jobs) await again.call('job.cancel', { jobId: id })
  assert.equal((await again.call('job.list', {})).jobs.length, 0)
})

test('a job has 200 files and not 201; what is over the limit adds none of them', async () => {
  const client = await daemon.client(isRoot ? alice : null)
  await expectLimit(client, 'job.create', { displayName: 'x', files: files(201) }, 1007, 'too-many-files-in-job', 200)
  const { job } = await client.call('job.create', { displayName: 'x', files: files(199) })
  await expectLimit(client, 'job.addFiles', { jobId: job.id, files: files(2) }, 1007, 'too-many-files-in-job', 200)
  assert.equal((await client.call('job.get', { jobId: job.id })).job.progress.filesTotal, 199)
  await client.call('job.addFiles', { jobId: job.id, files: files(1) })
  await expectLimit(client, 'job.addFiles', { jobId: job.id, files: files(1) }, 1007, 'too-many-files-in-job', 200)
  assert.equal((await client.call('job.list', {})).jobs.length, 1)
})

test('a file has 500 ranges and not 501', async () => {
  const client = await daemon.client(isRoot ? alice : null)
  await expectLimit(client, 'job.create', { displayName: 'x', files: [{ ...file(0), ranges: ranges(501) }] }, 1008, 'too-many-ranges-in-file', 500)
  const { job } = await client.call('job.create', { displayName: 'x', files: [{ ...file(0), ranges: ranges(500) }] })
  await expectLimit(client, 'job.addFiles', { jobId: job.id, files: [file(1), { ...file(2), ranges: ranges(501) }] }, 1008, 'too-many-ranges-in-file', 500)
  assert.equal((await client.call('job.get', { jobId: job.id })).job.progress.filesTotal, 1)
  assert.equal((await client.call('file.get', { jobId: job.id, fileIndex: 0 })).file.ranges?.length, 500)
})

test('session.hello and queue.stats tell the limits', async () => {
  const client = await daemon.client(isRoot ? alice : null)
  const limits = { jobsPerMachine: 300, jobsPerUser: 60, filesPerJob: 200, rangesPerFile: 500 }
  assert.deepEqual((await client.call('session.hello')).limits, limits)
  assert.deepEqual((await client.call('queue.stats')).limits, limits)
})

test('300 jobs on the machine and not 301; the exempt are not bound and use up nobody\'s room', { skip: needsRoot }, async (t) => {
  const machine = await Daemon.start({ mode: 'system' })
  t.after(() => machine.close())
  const root = await machine.client()
  const service = await machine.client({ uid: 998, gid: 998 })
  await create(root, 70)
  await create(service, 65)
  for (let uid = 62_001; uid <= 62_005; uid++) await create(await machine.client({ uid, gid: uid }), 60)
  const late = await machine.client(bob)
  await expectLimit(late, 'job.create', { displayName: 'x' }, 1005, 'too-many-jobs-on-machine', 300)
  // Where both limits are reached the user's is named.
  await expectLimit(await machine.client({ uid: 62_001, gid: 62_001 }), 'job.create', { displayName: 'x' }, 1006, 'too-many-jobs-of-user', 60)
  await create(root, 1)
  await create(service, 1)
  assert.equal((await root.call('queue.stats')).jobs.total, 437)
  const full = await machine.client({ uid: 62_005, gid: 62_005 })
  await full.call('job.cancel', { jobId: (await full.call('job.list', {})).jobs[0]?.id })
  await create(late, 1)
  await expectLimit(late, 'job.create', { displayName: 'x' }, 1005, 'too-many-jobs-on-machine', 300)
})

test('the limits are those of the configuration, and of a configuration that was read again', { skip: needsRoot }, async (t) => {
  const machine = await Daemon.start({ mode: 'system', config: '[limits]\njobsPerUser = 1\nfilesPerJob = 2\nrangesPerFile = 3\n' })
  t.after(() => machine.close())
  const client = await machine.client(alice)
  await expectLimit(client, 'job.create', { displayName: 'x', files: files(3) }, 1007, 'too-many-files-in-job', 2)
  await expectLimit(client, 'job.create', { displayName: 'x', files: [{ ...file(0), ranges: ranges(4) }] }, 1008, 'too-many-ranges-in-file', 3)
  await create(client, 1)
  await expectLimit(client, 'job.create', { displayName: 'x' }, 1006, 'too-many-jobs-of-user', 1)
  machine.configure('[limits]\njobsPerUser = 2\n')
  machine.signal('SIGHUP')
  while ((await client.call('session.hello')).limits.jobsPerUser !== 2) await client.call('system.ping')
  await create(client, 1)
  await expectLimit(client, 'job.create', { displayName: 'x' }, 1006, 'too-many-jobs-of-user', 2)
})

test('a user may have only so many connections, and others are not concerned', { skip: needsRoot }, async (t) => {
  const machine = await Daemon.start({ mode: 'system', config: '[limits]\nconnectionsPerUser = 3\n' })
  t.after(() => machine.close())
  for (let at = 0; at < 3; at++) await (await machine.client(alice)).call('system.ping')
  const over = await machine.client(alice)
  await over.closed()
  assert.equal(JSON.stringify(over.messages).includes('too-many-connections'), true)
  await (await machine.client(bob)).call('system.ping')
})
