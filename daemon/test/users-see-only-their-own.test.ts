// Rule 8, with callers that the kernel names as different users.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { alice, bob, Daemon, needsRoot } from './support/daemon.ts'
import type { RawClient } from './support/raw-client.ts'

let daemon: Daemon
let root: RawClient
let hers: RawClient
let his: RawClient
let jobId = ''
const fileSpec = { remoteName: 'http://127.0.0.1/a', localName: '/tmp/never' }

before(async () => {
  if (needsRoot !== false) return
  daemon = await Daemon.start({ mode: 'system' })
  ;[root, hers, his] = await Promise.all([daemon.client(), daemon.client(alice), daemon.client(bob)])
  jobId = (await hers.call('job.create', { displayName: 'hers', application: 'shared', clientToken: 'same', files: [fileSpec] })).job.id
})
after(() => daemon?.close())

const calls: readonly [string, object][] = [
  ['job.get', {}], ['job.resume', {}], ['job.suspend', {}], ['job.cancel', {}], ['job.complete', {}], ['job.wait', { timeoutSeconds: 0 }], ['job.explain', {}],
  ['job.update', { set: { displayName: 'mine now' } }], ['job.addFiles', { files: [fileSpec] }], ['file.list', {}], ['file.get', { fileIndex: 0 }],
  ['file.update', { fileIndex: 0, set: { remoteName: 'http://127.0.0.1/b' } }],
]

test('the job of another answers exactly like one that does not exist, to every method', { skip: needsRoot }, async () => {
  for (const [method, more] of calls) {
    const foreign = await his.refusal(method, { jobId, ...more })
    const unknown = await his.refusal(method, { jobId: '00000000-0000-4000-8000-000000000000', ...more })
    assert.deepEqual(foreign, unknown, method)
    assert.equal(foreign.code, 1001, method)
  }
  const { job } = await hers.call('job.get', { jobId })
  assert.deepEqual([job.state, job.displayName, job.progress.filesTotal, job.owner.id], ['suspended', 'hers', 1, String(alice.uid)])
})

test('a list and the counts hold the caller\'s own jobs only', { skip: needsRoot }, async () => {
  assert.deepEqual((await his.call('job.list', {})).jobs, [])
  assert.deepEqual((await his.call('job.list', { application: 'shared' })).jobs, [])
  assert.equal((await his.call('queue.stats')).jobs.total, 0)
  assert.deepEqual((await hers.call('job.list', {})).jobs.map(({ id }) => id), [jobId])
  for (const owner of ['all', String(alice.uid), '0']) assert.deepEqual((await his.refusal('job.list', { owner })).data.kind, 'access-denied', owner)
  assert.deepEqual((await his.call('job.list', { owner: String(bob.uid) })).jobs, [])
})

test('a cursor of another does not lead into his history', { skip: needsRoot }, async () => {
  const made = await Promise.all([1, 2, 3].map(async (at) => (await hers.call('job.create', { displayName: String(at) })).job.id))
  for (const id of made) await hers.call('job.cancel', { jobId: id })
  const { nextCursor } = await hers.call('job.list', { states: ['cancelled'], limit: 1 })
  assert.notEqual(nextCursor, null)
  const answer = await his.ask('job.list', { states: ['cancelled'], cursor: nextCursor })
  assert.equal(JSON.stringify(answer).includes(made[0] ?? ''), false)
  assert.deepEqual((answer.result as { jobs: unknown[] } | undefined)?.jobs ?? [], [])
  assert.equal((await his.refusal('job.get', { jobId: made[0] })).code, 1001)
})

test('the same client token of two users makes two jobs', { skip: needsRoot }, async () => {
  const { job, created } = await his.call('job.create', { displayName: 'his', clientToken: 'same' })
  assert.deepEqual([created, job.owner.id], [true, String(bob.uid)])
  assert.notEqual(job.id, jobId)
})

test('root is an admin: he sees all jobs and may change them; they stay their owner\'s', { skip: needsRoot }, async () => {
  const hello = await root.call('session.hello')
  assert.deepEqual([hello.caller.id, hello.caller.role, hello.daemon.mode], ['0', 'admin', 'system'])
  assert.ok((await root.call('job.list', { owner: 'all' })).jobs.some(({ id }) => id === jobId))
  assert.deepEqual((await root.call('job.list', { owner: String(alice.uid) })).jobs.map(({ id }) => id), [jobId])
  assert.equal((await root.call('job.list', {})).jobs.length, 0)
  const { job } = await root.call('job.update', { jobId, set: { description: 'seen' } })
  assert.deepEqual([job.owner.id, job.description], [String(alice.uid), 'seen'])
  assert.ok((await root.call('queue.stats')).jobs.byOwner.some(({ owner }) => owner.id === String(alice.uid)))
})

test('session.hello says who the kernel says is calling', { skip: needsRoot }, async () => {
  const { caller } = await hers.call('session.hello', { client: { name: 'test', version: '1' }, protocol: '1.0', require: [] })
  assert.deepEqual([caller.id, caller.role], [String(alice.uid), 'user'])
})

test('a member of a configured group is an admin, through his supplementary groups', { skip: needsRoot }, async (t) => {
  const group = execFileSync('getent', ['group', 'games'], { encoding: 'utf8' }).split(':')
  const machine = await Daemon.start({ mode: 'system', config: '[access]\nadminGroups = ["games"]\n' })
  t.after(() => machine.close())
  const member = await machine.client({ uid: 61_003, gid: Number(group[2]) })
  assert.equal((await member.call('session.hello')).caller.role, 'admin')
  assert.equal((await (await machine.client(alice)).call('session.hello')).caller.role, 'user')
})

test('a daemon in user mode serves nobody but its user and root', { skip: needsRoot }, async (t) => {
  const own = await Daemon.start()
  t.after(() => own.close())
  await assert.rejects(own.client(alice), { code: 'EACCES' })
})

test('a job whose owner has no account does not bring the daemon down and says what is wrong', { skip: needsRoot }, async () => {
  await hers.call('job.resume', { jobId })
  const { job } = await hers.call('job.wait', { jobId, states: ['transient-error', 'error'], timeoutSeconds: 20 })
  assert.deepEqual([job.error?.context, job.error?.code], ['queue-manager', 'worker-unavailable'])
  await his.call('system.ping')
})
