// BITS §9.4: an admin becomes the owner of a job; what only the owner before was to have is gone, and files that the new owner may not
// touch are refused.
import assert from 'node:assert/strict'
import { chmodSync, chownSync, existsSync, lchownSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { until } from './support/daemon.ts'
import { startOrigin, type Origin } from './support/origin.ts'
import { startSystemDaemon, type SystemDaemon } from './support/system-daemon.ts'
import { callAs, onlyRoot, openUsers, type TestCaller, type User, type Users } from './support/users.ts'

let users: Users
let ann: User
let daemon: SystemDaemon
let origin: Origin
let hers: TestCaller
let root: TestCaller
let admin: TestCaller
const body = Buffer.alloc(200_000, 'x')

before(async () => {
  if (onlyRoot !== false) return
  users = openUsers()
  ann = users.make('ann')
  const helper = users.make('adm', { groups: ['games'] })
  origin = await startOrigin()
  origin.route('/half', ({ count }) => (count === 0 ? { body, cutAfter: 100_000, cut: 'stall' } : { body }))
  origin.route('/whole', { body })
  daemon = await startSystemDaemon({ config: '[access]\nadminGroups = ["games"]\n[limits]\njobsPerUser = 2\n' })
  hers = callAs(daemon.socket, ann)
  root = callAs(daemon.socket, null)
  admin = callAs(daemon.socket, helper)
})

after(async () => {
  if (onlyRoot !== false) return
  for (const caller of [hers, root, admin]) await caller?.close()
  await daemon?.close()
  await origin?.close()
  users?.close()
})

async function make(localName: string, path = '/whole', resume = false): Promise<string> {
  const { job } = await hers.call('job.create', {
    displayName: 'hers', resume, priority: 'foreground', clientToken: localName, files: [{ remoteName: origin.url(path), localName }],
    options: { http: { headers: { 'X-Secret': 'planted' } }, notify: { command: { program: '/bin/true', args: [] } } },
  })
  return job.id
}

test('a user may not take over; the job of another is unknown to him', { skip: onlyRoot }, async () => {
  const jobId = await make(join(ann.home, 'own'))
  await assert.rejects(hers.call('job.takeOwnership', { jobId }), { kind: 'access-denied' })
  const { job } = await root.call('job.create', { displayName: 'of root' })
  await assert.rejects(hers.call('job.takeOwnership', { jobId: job.id }), { kind: 'job-not-found' })
  await hers.call('job.cancel', { jobId })
})

test('root goes on with a moving job from where it was, without the secrets of the owner before', { skip: onlyRoot }, async () => {
  const jobId = await make(join(ann.home, 'half'), '/half', true)
  await until(async () => (await hers.call('job.get', { jobId })).job.progress.bytesTransferred >= 100_000, 'the first bytes')
  const { job } = await root.call('job.takeOwnership', { jobId })
  assert.equal(job.owner.id, '0')
  assert.deepEqual([job.options.http.headers, job.options.notify.command], [{}, null])
  await assert.rejects(hers.call('job.get', { jobId }), { kind: 'job-not-found' })
  assert.equal((await root.call('job.wait', { jobId, timeoutSeconds: 20 })).job.state, 'transferred')
  await root.call('job.complete', { jobId })
  assert.deepEqual(readFileSync(join(ann.home, 'half')), body)
  const requests = origin.requestsFor('/half')
  assert.equal(requests[0]?.headers['x-secret'], 'planted')
  assert.equal(requests[1]?.headers['x-secret'], undefined)
  assert.match(requests[1]?.headers.range ?? '', /^bytes=100000-/)
})

test('the room and the client token of the owner before are free again, also after a restart', { skip: onlyRoot }, async () => {
  const [first] = [await make(join(ann.home, 'one')), await make(join(ann.home, 'two'))]
  await assert.rejects(make(join(ann.home, 'three')), { kind: 'too-many-jobs-of-user' })
  await root.call('job.takeOwnership', { jobId: first })
  const again = await make(join(ann.home, 'one'))
  assert.notEqual(again, first)
  await daemon.kill9()
  await daemon.start()
  await hers.close()
  await root.close()
  await admin.close()
  hers = callAs(daemon.socket, ann)
  root = callAs(daemon.socket, null)
  assert.equal((await root.call('job.get', { jobId: first })).job.owner.id, '0')
  assert.equal(await make(join(ann.home, 'one')), again)
  await assert.rejects(make(join(ann.home, 'three')), { kind: 'too-many-jobs-of-user' })
  for (const job of (await root.call('job.list', { owner: 'all' })).jobs) await root.call('job.cancel', { jobId: job.id })
})

test('an admin who may not touch the files is refused, and the job is as it was', { skip: onlyRoot }, async () => {
  const helper = users.make('second', { groups: ['games'] })
  admin = callAs(daemon.socket, helper)
  const jobId = await make(join(ann.home, 'private'))
  await assert.rejects(admin.call('job.takeOwnership', { jobId }), (error: { kind: string; data: { files: { index: number; code: string }[] } }) => {
    assert.equal(error.kind, 'access-denied')
    assert.deepEqual(error.data.files.map(({ index, code }) => [index, code]), [[0, 'access-denied']])
    return true
  })
  const { job } = await hers.call('job.get', { jobId })
  assert.deepEqual(job.options.http.headers, { 'X-Secret': null })
  assert.notEqual(job.options.notify.command, null)
  // In a folder that both may write nothing of hers lies yet.
  const shared = join(users.folder, 'shared')
  mkdirSync(shared)
  chmodSync(shared, 0o777)
  const other = await make(join(shared, 'file'))
  assert.equal((await admin.call('job.takeOwnership', { jobId: other })).job.owner.id, String(helper.uid))
  await admin.call('job.resume', { jobId: other })
  await admin.call('job.wait', { jobId: other, timeoutSeconds: 20 })
  await admin.call('job.complete', { jobId: other })
  assert.equal(statSync(join(shared, 'file')).uid, helper.uid)
  chownSync(shared, 0, 0)
})

test('what an admin took over and cancels leaves nothing', { skip: onlyRoot }, async () => {
  const folder = join(ann.home, 'left')
  mkdirSync(folder)
  chownSync(folder, ann.uid, ann.gid)
  origin.route('/stalls', { body, cutAfter: 100_000, cut: 'stall' })
  const jobId = await make(join(folder, 'file'), '/stalls', true)
  await until(() => readdirSync(folder).length > 0, 'the partial file')
  await root.call('job.takeOwnership', { jobId })
  await root.call('job.cancel', { jobId })
  assert.deepEqual(readdirSync(folder), [])
  assert.ok(!existsSync(join(folder, 'file')))
})

/** Folders of each, which both may write to, so that only the rule decides. */
function places(name: string): { helper: User; hersToo: string; mine: string } {
  const helper = users.make(name, { groups: ['games'] })
  admin = callAs(daemon.socket, helper)
  const [hersToo, mine] = [join(users.folder, `${name}-hers`), join(helper.home, 'mine')]
  for (const [folder, { uid, gid }] of [[hersToo, ann], [mine, helper]] as const) {
    mkdirSync(folder)
    chownSync(folder, uid, gid)
  }
  chmodSync(hersToo, 0o777)
  return { helper, hersToo, mine }
}

async function settled(jobId: string): Promise<string> {
  await admin.call('job.resume', { jobId })
  const { job } = await admin.call('job.wait', { jobId, states: ['transferred', 'error'], timeoutSeconds: 20 })
  return job.error?.code ?? job.state
}

test('names that lead where the owner before could not have written are refused, unless they are trusted', { skip: onlyRoot }, async () => {
  const { helper, hersToo, mine } = places('third')
  symlinkSync(mine, join(hersToo, 'out'))
  lchownSync(join(hersToo, 'out'), ann.uid, ann.gid)
  chmodSync(helper.home, 0o755)
  const sticky = join(users.folder, 'sticky')
  mkdirSync(sticky)
  chmodSync(sticky, 0o1777)
  writeFileSync(join(sticky, 'file'), 'mine')
  chownSync(join(sticky, 'file'), helper.uid, helper.gid)
  for (const localName of [join(hersToo, 'out', 'file'), join(mine, 'file'), join(sticky, 'file')]) {
    const jobId = await make(localName)
    await assert.rejects(admin.call('job.takeOwnership', { jobId }), { kind: 'access-denied' }, localName)
    if (localName.startsWith(mine)) await assert.rejects(root.call('job.takeOwnership', { jobId }), { kind: 'access-denied' })
    await hers.call('job.cancel', { jobId })
  }
  const jobId = await make(join(mine, 'trusted'))
  await admin.call('job.takeOwnership', { jobId, trustLocalNames: true })
  assert.equal(await settled(jobId), 'transferred')
  await admin.call('job.complete', { jobId })
  assert.deepEqual(readdirSync(mine), ['trusted'])
  assert.equal(readFileSync(join(sticky, 'file'), 'utf8'), 'mine')
})

test('what the owner before changes after the take-over leads nowhere else, also after a restart', { skip: onlyRoot }, async () => {
  const { helper, hersToo, mine } = places('fourth')
  const swap = (name: string): void => {
    rmSync(join(hersToo, name), { recursive: true })
    symlinkSync(mine, join(hersToo, name))
    lchownSync(join(hersToo, name), ann.uid, ann.gid)
  }
  const prepared = async (name: string, exists: boolean): Promise<string> => {
    if (exists) {
      mkdirSync(join(hersToo, name))
      chmodSync(join(hersToo, name), 0o777)
      chownSync(join(hersToo, name), ann.uid, ann.gid)
    }
    const jobId = await make(join(hersToo, name, 'file'))
    await admin.call('job.takeOwnership', { jobId })
    return jobId
  }
  const before = await prepared('before', true)
  const between = await prepared('between', true)
  const missing = await prepared('missing', false)
  await daemon.kill9()
  await daemon.start()
  for (const caller of [hers, root, admin]) await caller.close()
  ;[hers, root, admin] = [callAs(daemon.socket, ann), callAs(daemon.socket, null), callAs(daemon.socket, helper)]
  swap('before')
  assert.equal(await settled(before), 'access-denied')
  assert.equal(await settled(between), 'transferred')
  swap('between')
  await assert.rejects(admin.call('job.complete', { jobId: between }), { kind: 'publish-failed' })
  // A folder that somebody else makes later, and that she may not write.
  mkdirSync(join(hersToo, 'missing'))
  chownSync(join(hersToo, 'missing'), statSync(mine).uid, statSync(mine).gid)
  assert.equal(await settled(missing), 'access-denied')
  assert.deepEqual([...readdirSync(mine), ...readdirSync(join(hersToo, 'missing'))], [])
})
