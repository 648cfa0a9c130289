// Rule 5 and BITS §5: which failures are fatal at once, which are tried again, and what the error says.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Job } from '../../protocol/job.ts'
import { Daemon } from './support/daemon.ts'
import { startOrigin, type Script } from './support/origin.ts'

const origin = await startOrigin()
const daemon = await Daemon.start({ config: '[transfer]\nbackgroundSlots = 100\n' })
after(async () => {
  await daemon.close()
  await origin.close()
})
const client = await daemon.client()
const body = Buffer.alloc(4000, 'abcd')
let count = 0

async function outcome(remoteName: string, more: { localName?: string; file?: object; options?: object } = {}): Promise<Job> {
  const localName = more.localName ?? join(daemon.files, `f${count++}`)
  const { job } = await client.call('job.create', {
    displayName: 'x', resume: true, files: [{ remoteName, localName, ...more.file }], options: { minimumRetryDelaySeconds: 600, ...more.options },
  })
  const { job: after } = await client.call('job.wait', { jobId: job.id, states: ['transferred', 'error', 'transient-error'], timeoutSeconds: 20 })
  return after
}

async function served(script: Script, more: Parameters<typeof outcome>[1] = {}): Promise<Job> {
  const path = `/r${count++}`
  origin.route(path, script)
  return await outcome(origin.url(path), more)
}

const statuses: readonly (readonly [number, 'error' | 'transient-error'])[] = [
  [400, 'error'], [401, 'error'], [403, 'error'], [404, 'error'], [405, 'error'], [407, 'error'], [410, 'error'], [414, 'error'], [418, 'error'], [451, 'error'],
  [408, 'transient-error'], [429, 'transient-error'], [500, 'transient-error'], [502, 'transient-error'], [503, 'transient-error'], [504, 'transient-error'], [507, 'transient-error'],
  [501, 'error'], [505, 'error'],
]
for (const [status, state] of statuses) {
  test(`status ${status} leads to ${state}`, async () => {
    const before = Date.now()
    const job = await served({ status })
    assert.equal(job.state, state)
    const { error } = job
    assert.ok(error)
    assert.deepEqual([error.context, error.code, error.fileIndex, error.httpStatus, error.fatal], ['remote-file', 'http-error', 0, status, state === 'error'])
    assert.equal(error.message.length > 10, true)
    assert.ok(error.at >= before && error.at <= Date.now())
    if (state === 'error') assert.equal(error.retryAt, null)
    else assert.equal((error.retryAt ?? 0) - error.at, 600_000)
    assert.equal(job.errorCount, 1)
  })
}

test('a longer Retry-After puts the next attempt off, in seconds or as a date; a shorter one does not bring it forward', async () => {
  for (const status of [503, 429]) {
    const seconds = await served({ status, headers: { 'Retry-After': '7200' } })
    assert.equal((seconds.error?.retryAt ?? 0) - (seconds.error?.at ?? 0), 7_200_000)
    const date = await served({ status, headers: { 'Retry-After': new Date(Date.now() + 7_200_000).toUTCString() } })
    assert.ok(Math.abs((date.error?.retryAt ?? 0) - (date.error?.at ?? 0) - 7_200_000) < 5000)
    const shorter = await served({ status, headers: { 'Retry-After': '1' } })
    assert.equal((shorter.error?.retryAt ?? 0) - (shorter.error?.at ?? 0), 600_000)
    const nonsense = await served({ status, headers: { 'Retry-After': 'soon' } })
    assert.equal((nonsense.error?.retryAt ?? 0) - (nonsense.error?.at ?? 0), 600_000)
  }
})

test('nobody listening, a name that does not resolve and a connection that breaks are transient, of the transport', async () => {
  const closed = net.createServer()
  const port = await new Promise<number>((resolve) => closed.listen(0, '127.0.0.1', () => resolve((closed.address() as net.AddressInfo).port)))
  await new Promise((resolve) => closed.close(resolve))
  const refused = await outcome(`http://127.0.0.1:${port}/`)
  assert.deepEqual([refused.state, refused.error?.context, refused.error?.code, refused.error?.httpStatus], ['transient-error', 'transport', 'cannot-connect', null])
  const unknown = await outcome('http://no-such-name.invalid/')
  assert.deepEqual([unknown.state, unknown.error?.context, unknown.error?.code], ['transient-error', 'transport', 'name-not-resolved'])
  const broken = await served({ body, cutAfter: 100, cut: 'reset' })
  assert.deepEqual([broken.state, broken.error?.context, broken.error?.code], ['transient-error', 'transport', 'connection-closed'])
})

test('a body that is shorter than announced is transient, and what is there is not taken for the whole', async () => {
  const short = await served({ body, cutAfter: 100, cut: 'end' })
  assert.deepEqual([short.state, short.progress.filesTransferred], ['transient-error', 0])
  const chunked = await served({ body, framing: 'chunked', cutAfter: 100, cut: 'end' })
  assert.deepEqual([chunked.state, chunked.progress.filesTransferred], ['transient-error', 0])
})

test('a redirect loop is fatal; a redirect is followed, or fails where the job says so', async () => {
  origin.route('/loop', { status: 302, headers: { Location: '/loop' } })
  const loop = await outcome(origin.url('/loop'))
  assert.deepEqual([loop.state, loop.error?.context, loop.error?.code], ['error', 'remote-file', 'too-many-redirects'])
  origin.route('/final', { body })
  const path = '/redirects'
  origin.route(path, { status: 301, headers: { Location: '/final' } })
  assert.equal((await outcome(origin.url(path))).state, 'transferred')
  const disallowed = await outcome(origin.url(path), { options: { http: { redirects: 'disallow' } } })
  assert.deepEqual([disallowed.state, disallowed.error?.context], ['error', 'remote-file'])
  const reported = await outcome(origin.url(path), { options: { http: { redirects: 'allow-report' } } })
  assert.equal((await client.call('file.get', { jobId: reported.id, fileIndex: 0 })).file.remoteName, origin.url('/final'))
  const elsewhere = await served({ status: 302, headers: { Location: 'file:///etc/passwd' } })
  assert.deepEqual([elsewhere.state, elsewhere.error?.context], ['error', 'remote-file'])
})

test('a checksum that does not match is fatal and the bytes are thrown away; one that matches is kept', async () => {
  for (const algorithm of ['sha256', 'sha512', 'sha1', 'md5'] as const) {
    const value = createHash(algorithm).update(body).digest('hex')
    assert.equal((await served({ body }, { file: { checksum: { algorithm, value: value.toUpperCase() } } })).state, 'transferred')
    const wrong = await served({ body }, { file: { checksum: { algorithm, value: '0'.repeat(value.length) } } })
    assert.deepEqual([wrong.state, wrong.error?.context, wrong.error?.code], ['error', 'remote-file', 'checksum-mismatch'])
    const { file } = await client.call('file.get', { jobId: wrong.id, fileIndex: 0 })
    assert.equal(file.progress.bytesTransferred, 0)
  }
})

test('a folder that is not there or is none, a name that is too long and a folder of that name are fatal at once, of the local file', async () => {
  const cases = [
    [join(daemon.files, 'missing', 'a'), 'folder-not-found'], [join(daemon.files, 'x'.repeat(256)), 'name-too-long'], [join(daemon.config, 'a'), 'folder-not-found'],
    [join(daemon.files), 'not-a-regular-file'],
  ] as const
  for (const [localName, code] of cases) {
    const job = await served({ body }, { localName })
    assert.deepEqual([job.state, job.error?.context, job.error?.code, job.error?.fileIndex], ['error', 'local-file', code, 0], localName)
    assert.equal((await client.call('job.cancel', { jobId: job.id })).job.state, 'cancelled')
  }
  assert.deepEqual(readdirSync(daemon.files).filter((name) => name.startsWith('x')), [])
})

test('more bytes than the job allows are fatal, announced or not', async () => {
  for (const framing of ['length', 'chunked'] as const) {
    const job = await served({ body, framing }, { options: { maximumDownloadBytes: body.length - 1 } })
    assert.deepEqual([job.state, job.error?.code], ['error', 'maximum-download-bytes'], framing)
    assert.equal((await served({ body, framing }, { options: { maximumDownloadBytes: body.length } })).state, 'transferred', framing)
  }
})

test('no error is retried where the no-progress timeout is 0 or shorter than the retry delay', async () => {
  for (const options of [{ noProgressTimeoutSeconds: 0 }, { noProgressTimeoutSeconds: 599 }]) {
    const job = await served({ status: 503 }, { options })
    assert.deepEqual([job.state, job.error?.fatal, job.error?.retryAt], ['error', true, null])
  }
})

test('one bad file stops its job, and another remote name puts it right', async () => {
  origin.route('/good', { body })
  const { job } = await client.call('job.create', { displayName: 'x', resume: true, files: [
    { remoteName: origin.url('/good'), localName: join(daemon.files, 'first') }, { remoteName: origin.url('/nothing'), localName: join(daemon.files, 'second') },
  ] })
  const failed = (await client.call('job.wait', { jobId: job.id })).job
  assert.deepEqual([failed.state, failed.error?.fileIndex], ['error', 1])
  await client.call('file.update', { jobId: job.id, fileIndex: 1, set: { remoteName: origin.url('/good') } })
  await client.call('job.resume', { jobId: job.id })
  assert.equal((await client.call('job.wait', { jobId: job.id })).job.state, 'transferred')
  await client.call('job.complete', { jobId: job.id })
  assert.deepEqual(readFileSync(join(daemon.files, 'second')), body)
})

test('neither the error nor the log tells the query of a URL or the value of a header', async () => {
  const secret = 'tell-nobody'
  const job = await outcome(`${origin.url('/nothing')}?token=${secret}`, { options: { http: { headers: { Authorization: `Bearer ${secret}` } } } })
  assert.equal(origin.requests.at(-1)?.headers.authorization, `Bearer ${secret}`)
  assert.equal(JSON.stringify(job).includes(secret), false)
  assert.equal(daemon.said.includes(secret), false)
})

test('a range is fetched alone, and ranges are joined in their order', async () => {
  const letters = Buffer.from('0123456789')
  const localName = join(daemon.files, 'ranges')
  const job = await served({ body: letters }, { localName, file: { ranges: [{ offset: 7, length: null }, { offset: 2, length: 3 }] } })
  assert.equal(job.state, 'transferred')
  await client.call('job.complete', { jobId: job.id })
  assert.equal(readFileSync(localName, 'utf8'), '789234')
  writeFileSync(localName, '')
  const beyond = await served({ body: letters }, { file: { ranges: [{ offset: 100, length: 3 }] } })
  assert.deepEqual([beyond.state, beyond.error?.code], ['error', 'invalid-range'])
  const unable = await served({ body: letters, ranges: false }, { file: { ranges: [{ offset: 2, length: 3 }] } })
  assert.deepEqual([unable.state, unable.error?.code], ['error', 'insufficient-range-support'])
})

test('an empty file is a file', async () => {
  for (const framing of ['length', 'chunked', 'close'] as const) {
    const localName = join(daemon.files, `empty ${framing}`)
    const job = await served({ body: Buffer.alloc(0), framing }, { localName })
    assert.deepEqual([job.state, job.progress.bytesTotal, job.progress.filesTransferred], ['transferred', 0, 1])
    await client.call('job.complete', { jobId: job.id })
    assert.equal(readFileSync(localName).length, 0)
  }
})
