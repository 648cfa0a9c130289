// Header values are where they are needed and nowhere else: not readable on disk, in no log, no answer and no process's arguments.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startOrigin, type Origin } from './support/origin.ts'
import { startSystemDaemon, type SystemDaemon } from './support/system-daemon.ts'
import { callAs } from './support/users.ts'

let daemon: SystemDaemon
let origin: Origin
const secrets = ['planted-token-3f81', 'planted-token-77aa']
const answers: string[] = []

before(async () => {
  origin = await startOrigin()
  origin.route('/file', { body: Buffer.alloc(100_000, 'x'), cutAfter: 20_000, cut: 'stall' })
  daemon = await startSystemDaemon({ mode: 'user' })
})

after(async () => {
  await daemon?.close()
  await origin?.close()
})

/** Every byte that the daemon keeps. */
function kept(folder: string): string {
  return readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? kept(path) : readFileSync(path, 'latin1')
  }).join('\n')
}

function assertNowhere(): void {
  const processes = execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' })
  const seen = { state: kept(daemon.state), log: daemon.logged(), answers: answers.join('\n'), arguments: processes }
  for (const secret of secrets) for (const [where, text] of Object.entries(seen)) assert.ok(!text.includes(secret), `a secret is in the ${where}`)
}

test('planted secrets reach the server and are found nowhere else, over changes and a restart', async () => {
  const caller = callAs(daemon.socket, null)
  const call: typeof caller.call = async (name, params) => {
    const answer = await caller.call(name, params)
    answers.push(JSON.stringify(answer))
    return answer
  }
  const { job: { id: jobId } } = await call('job.create', {
    displayName: 'secret', resume: true, options: { http: { headers: { Authorization: `Bearer ${secrets[0]}`, Cookie: `a=${secrets[1]}` } } },
    files: [{ remoteName: origin.url('/file'), localName: join(daemon.folder, 'file') }],
  })
  await origin.asked('/file')
  await call('job.update', { jobId, set: { displayName: 'other' } })
  await call('job.suspend', { jobId })
  await call('job.list', {})
  await call('file.list', { jobId })
  await assert.rejects(caller.call('job.create', { displayName: 'x', options: { http: { headers: { 'Bad Name': secrets[0] ?? '' } } } }), (error: Error & { data: unknown }) => {
    answers.push(JSON.stringify(error.data), error.message)
    return true
  })
  assert.equal(origin.requestsFor('/file')[0]?.headers.authorization, `Bearer ${secrets[0]}`)
  assertNowhere()
  await caller.close()
  await daemon.kill9()
  await daemon.start()
  const again = callAs(daemon.socket, null)
  await again.call('job.resume', { jobId })
  await origin.asked('/file', 2)
  assert.equal(origin.requestsFor('/file')[1]?.headers.authorization, `Bearer ${secrets[0]}`)
  assert.equal(origin.requestsFor('/file')[1]?.headers.cookie, `a=${secrets[1]}`)
  await again.close()
  assertNowhere()
})

test('where redirects are reported, a later attempt goes there without the secrets', async () => {
  const other = await startOrigin()
  const { call, close } = callAs(daemon.socket, null)
  try {
    const body = Buffer.alloc(100_000, 'x')
    other.route('/there', ({ count }) => (count === 0 ? { body, cutAfter: 20_000, cut: 'stall' } : { body }))
    origin.route('/here', { status: 302, headers: { Location: other.url('/there') } })
    const { job: { id: jobId } } = await call('job.create', {
      displayName: 'reported', resume: true,
      options: { http: { redirects: 'allow-report', headers: { 'Authorization': `Bearer ${secrets[0]}`, 'PRIVATE-TOKEN': secrets[1] ?? '' } } },
      files: [{ remoteName: origin.url('/here'), localName: join(daemon.folder, 'reported') }],
    })
    await other.asked('/there')
    await call('job.suspend', { jobId })
    const { files } = await call('file.list', { jobId })
    assert.equal(files[0]?.remoteName, other.url('/there'))
    await call('job.resume', { jobId })
    await call('job.wait', { jobId, states: ['transferred'] })
    await call('job.cancel', { jobId })
    assert.equal(origin.requestsFor('/here')[0]?.headers['private-token'], secrets[1])
    assert.equal(other.requests.length, 2)
    for (const { headers } of other.requests) assert.deepEqual([headers.authorization, headers['private-token']], [undefined, undefined])
  } finally {
    await close()
    await other.close()
  }
})

test('without its key a job is kept, suspended and said to have lost its headers; nothing is sent without them', async () => {
  const key = join(daemon.state, 'secret.key')
  assert.equal(statSync(key).mode & 0o777, 0o600)
  await daemon.stop()
  writeFileSync(key, Buffer.alloc(32, 1))
  const before = origin.requests.length
  await daemon.start()
  const caller = callAs(daemon.socket, null)
  const { jobs: [job] } = await caller.call('job.list', {})
  assert.equal(job?.state, 'suspended')
  assert.deepEqual(job?.options.http.headers, {})
  assert.match(daemon.logged(), new RegExp(`"jobId":"${job?.id}".*cannot be read with the present key`))
  assert.equal(origin.requests.length, before)
  await caller.call('job.cancel', { jobId: job?.id ?? '' })
  await caller.close()
})

test('a key that others can read, or that is none, stops the start', { skip: process.platform === 'win32' && 'has other permissions' }, async () => {
  const key = join(daemon.state, 'secret.key')
  await daemon.stop()
  chmodSync(key, 0o644)
  await assert.rejects(daemon.start(), /secret\.key can be read by others/)
  chmodSync(key, 0o600)
  writeFileSync(key, 'short')
  await assert.rejects(daemon.start(), /secret\.key holds no key of 32 bytes/)
})
