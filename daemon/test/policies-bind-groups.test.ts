// The administrator's policy for groups: refused with the rule's name, shown to whom it is about, read again, and applied by the worker
// to the folder that a name really leads to and to where a server redirects.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Refusal } from '../../protocol/refusals.ts'
import { until } from './support/daemon.ts'
import { startOrigin, type Origin } from './support/origin.ts'
import { startSystemDaemon, type SystemDaemon } from './support/system-daemon.ts'
import { as, callAs, onlyRoot, openUsers, type TestCaller, type User, type Users } from './support/users.ts'

let users: Users
let ann: User
let daemon: SystemDaemon
let origin: Origin
let other: Origin
let hers: TestCaller
let his: TestCaller
let root: TestCaller
let allowed = ''

function policyFor(jobs: number): string {
  return `[[policy]]\ngroup = "games"\njobsPerUser = ${jobs}\nfilesPerJob = 2\nnotifyCommands = false\nlocalFolders = ["${allowed}", "~/in"]\nremoteNames = ["${origin.url('/*')}"]\n[[policy]]\nexempt = true\n`
}

before(async () => {
  if (onlyRoot !== false) return
  users = openUsers()
  ann = users.make('ann', { groups: ['games'] })
  allowed = join(users.folder, 'allowed')
  mkdirSync(allowed)
  chmodSync(allowed, 0o1777)
  origin = await startOrigin()
  other = await startOrigin()
  origin.route('/file', { body: Buffer.from('x') })
  other.route('/file', { body: Buffer.from('x') })
  origin.route('/away', { status: 302, headers: { location: other.url('/file') } })
  daemon = await startSystemDaemon({ config: policyFor(2) })
  hers = callAs(daemon.socket, ann)
  his = callAs(daemon.socket, users.make('bob'))
  root = callAs(daemon.socket, null)
})

after(async () => {
  if (onlyRoot !== false) return
  for (const caller of [hers, his, root]) await caller?.close()
  await daemon?.close()
  await origin?.close()
  await other?.close()
  users?.close()
})

const refusedBy = (rule: string) => (error: unknown): boolean => {
  assert.ok(error instanceof Refusal && error.kind === 'access-denied', String(error))
  assert.deepEqual([error.data['rule'], error.data['policy'], error.data['group']], [rule, 1, 'games'])
  return true
}

test('what a call names is refused by the rule, at every call that can name it', { skip: onlyRoot }, async () => {
  const good = { remoteName: origin.url('/file'), localName: join(allowed, 'a') }
  const badFolder = { ...good, localName: join(ann.home, 'a') }
  const badUrl = { ...good, remoteName: other.url('/file') }
  const command = { notify: { command: { program: '/bin/true', args: [] } } }
  await assert.rejects(hers.call('job.create', { displayName: 'x', files: [badFolder] }), refusedBy('localFolders'))
  await assert.rejects(hers.call('job.create', { displayName: 'x', files: [badUrl] }), refusedBy('remoteNames'))
  await assert.rejects(hers.call('job.create', { displayName: 'x', options: command }), refusedBy('notifyCommands'))
  const { job: { id: jobId } } = await hers.call('job.create', { displayName: 'x', files: [good, { ...good, localName: join(ann.home, 'in', 'b') }] })
  await assert.rejects(hers.call('job.addFiles', { jobId, files: [badFolder] }), refusedBy('localFolders'))
  await assert.rejects(hers.call('job.update', { jobId, set: { options: command } }), refusedBy('notifyCommands'))
  await assert.rejects(hers.call('file.update', { jobId, fileIndex: 0, set: { remoteName: other.url('/file') } }), refusedBy('remoteNames'))
  await assert.rejects(hers.call('job.replaceRemotePrefix', { jobId, oldPrefix: origin.url('/'), newPrefix: other.url('/') }), refusedBy('remoteNames'))
  await assert.rejects(hers.call('job.addFiles', { jobId, files: [good] }), { kind: 'too-many-files-in-job' })
  await hers.call('job.cancel', { jobId })
})

test('limits are those of the group; everybody else is under the other table, and admins under none', { skip: onlyRoot }, async () => {
  const made = [await hers.call('job.create', { displayName: '1' }), await hers.call('job.create', { displayName: '2' })]
  await assert.rejects(hers.call('job.create', { displayName: '3' }), { kind: 'too-many-jobs-of-user' })
  for (const { job } of made) await hers.call('job.cancel', { jobId: job.id })
  const mine = await hers.call('policy.get', {})
  assert.deepEqual([mine.policy, mine.exempt, mine.limits.jobsPerUser, mine.notifyCommands, mine.localFolders], [1, false, 2, false, [allowed, '~/in']])
  assert.match(mine.why, /games/)
  const theirs = await his.call('policy.get', {})
  assert.deepEqual([theirs.policy, theirs.exempt, theirs.localFolders, theirs.notifyCommands], [2, true, null, true])
  assert.equal((await root.call('policy.get', {})).policy, null)
})

test('a link that leads out of the folder, and a redirect that leads elsewhere, end as blocked-by-policy', { skip: onlyRoot }, async () => {
  as(ann, () => symlinkSync(ann.home, join(allowed, 'out')))
  for (const [path, local] of [['/file', 'out/x'], ['/away', 'y']] as const) {
    const { job } = await hers.call('job.create', { displayName: 'x', resume: true, priority: 'foreground', files: [{ remoteName: origin.url(path), localName: join(allowed, local) }] })
    const { job: ended } = await hers.call('job.wait', { jobId: job.id, timeoutSeconds: 20 })
    assert.equal(ended.error?.code, 'blocked-by-policy', path)
    await hers.call('job.cancel', { jobId: job.id })
  }
  assert.equal(other.requests.length, 0)
})

test('a policy that is read again holds for connections and jobs that are there, and at resume', { skip: onlyRoot }, async () => {
  const { job: { id: jobId } } = await hers.call('job.create', { displayName: 'x', files: [{ remoteName: origin.url('/file'), localName: join(allowed, 'z') }] })
  await daemon.configure(policyFor(1).replace(`"${allowed}", `, ''))
  await until(async () => (await hers.call('policy.get', {})).limits.jobsPerUser === 1, 'the new policy')
  await assert.rejects(hers.call('job.resume', { jobId }), refusedBy('localFolders'))
  await assert.rejects(hers.call('job.create', { displayName: 'x' }), { kind: 'too-many-jobs-of-user' })
  await daemon.configure('')
  await until(async () => (await hers.call('policy.get', {})).policy === null, 'the end of the policy')
  await hers.call('job.resume', { jobId })
  assert.equal((await hers.call('job.wait', { jobId, timeoutSeconds: 20 })).job.state, 'transferred')
  await hers.call('job.cancel', { jobId })
})

test('a wrong policy is named with its line', { skip: onlyRoot }, async () => {
  const from = daemon.logged().length
  await daemon.configure('[[policy]]\ngroup = "games"\n\n[[policy]]\njobsPerUser = "many"\nlocalFolders = ["relative"]\nwhat = 1\n')
  const said = daemon.logged().slice(from)
  assert.match(said, /config\.toml:5: policy\.1\.jobsPerUser/)
  assert.match(said, /config\.toml:6: policy\.1\.localFolders\.0: must be an absolute folder/)
  assert.match(said, /config\.toml:7: policy\.1\.what: is not known/)
})

test('a user who drops his group is bound by its policy all the same, and has none of its grants', { skip: onlyRoot }, async (t) => {
  await daemon.configure(policyFor(2))
  const dropped = callAs(daemon.socket, { ...ann, groups: [] })
  t.after(() => dropped.close())
  const files = [{ remoteName: other.url('/file'), localName: join(allowed, 'dropped') }]
  await assert.rejects(dropped.call('job.create', { displayName: 'dropped', files }), refusedBy('remoteNames'))
  await daemon.configure('[[policy]]\ngroup = "games"\nexempt = true\n')
  assert.deepEqual([(await dropped.call('policy.get', {})).exempt, (await hers.call('policy.get', {})).exempt], [false, true])
})
