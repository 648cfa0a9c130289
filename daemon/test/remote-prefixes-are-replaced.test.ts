// BITS §2.4: the start of remote names is replaced, case-sensitively; partial data goes on where the new place proves to have the same.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { until } from './support/daemon.ts'
import { startOrigin, type Origin } from './support/origin.ts'
import { startSystemDaemon, type SystemDaemon } from './support/system-daemon.ts'
import { callAs, type TestCaller } from './support/users.ts'

let daemon: SystemDaemon
let origin: Origin
let caller: TestCaller
const body = Buffer.alloc(200_000, 'x')

before(async () => {
  origin = await startOrigin()
  for (const path of ['/old/done', '/new/done', '/new/same', '/Old/other']) origin.route(path, { body })
  origin.route('/new/changed', { body: Buffer.alloc(200_000, 'y') })
  for (const path of ['/old/same', '/old/changed']) origin.route(path, { body, cutAfter: 100_000, cut: 'stall' })
  daemon = await startSystemDaemon({ mode: 'user' })
  caller = callAs(daemon.socket, null)
})

after(async () => {
  await caller?.close()
  await daemon?.close()
  await origin?.close()
})

const names = ['done', 'same', 'changed'] as const

test('a moving job goes on under the new names; finished files are not fetched again', async () => {
  const { job } = await caller.call('job.create', {
    displayName: 'prefix', resume: true, files: names.map((name) => ({ remoteName: origin.url(`/old/${name}`), localName: join(daemon.folder, name) })),
  })
  const { id: jobId } = job
  await until(async () => (await caller.call('job.get', { jobId })).job.progress.bytesTransferred >= 400_000, 'the first bytes')
  assert.equal((await caller.call('job.replaceRemotePrefix', { jobId, oldPrefix: origin.url('/OLD/'), newPrefix: origin.url('/new/') })).replaced, 0)
  const answer = await caller.call('job.replaceRemotePrefix', { jobId, oldPrefix: origin.url('/old/'), newPrefix: origin.url('/new/') })
  assert.equal(answer.replaced, 3)
  assert.equal((await caller.call('job.wait', { jobId, timeoutSeconds: 20 })).job.state, 'transferred')
  await caller.call('job.complete', { jobId })
  assert.equal(origin.requestsFor('/new/done').length, 0)
  assert.match(origin.requestsFor('/new/same')[0]?.headers.range ?? '', /^bytes=100000-/)
  assert.deepEqual(readFileSync(join(daemon.folder, 'same')), body)
  assert.deepEqual(readFileSync(join(daemon.folder, 'changed')), Buffer.alloc(200_000, 'y'))
})

test('a result that is no remote name or too long is refused, and nothing is changed', async () => {
  const remoteName = origin.url('/old/done')
  const { job: { id: jobId } } = await caller.call('job.create', { displayName: 'prefix', files: [{ remoteName, localName: '/nowhere/x' }] })
  for (const newPrefix of ['ftp://example.org/', `http://example.org/${'a'.repeat(2180)}/`]) {
    await assert.rejects(caller.call('job.replaceRemotePrefix', { jobId, oldPrefix: origin.url('/old/'), newPrefix }), { kind: 'invalid-params', code: -32602 })
  }
  assert.equal((await caller.call('file.get', { jobId, fileIndex: 0 })).file.remoteName, remoteName)
  await caller.call('job.cancel', { jobId })
  await assert.rejects(caller.call('job.replaceRemotePrefix', { jobId, oldPrefix: 'h', newPrefix: 'h' }), { kind: 'invalid-state' })
})
