// Rule 4: what is there goes on only where the same version is proven, and the result is never a mixture.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Daemon } from './support/daemon.ts'
import { startOrigin, type OriginRequest, type Script } from './support/origin.ts'

const origin = await startOrigin()
const daemon = await Daemon.start({ config: '[transfer]\nbackgroundSlots = 100\n' })
after(async () => {
  await daemon.close()
  await origin.close()
})
const client = await daemon.client()
const size = 300_000
const older = Buffer.alloc(size, 'old ')
const newer = Buffer.alloc(size, 'new ')
const half = 100_000
let count = 0

interface Seen {
  readonly state: string
  readonly code: string | undefined
  readonly content: Buffer | null
  readonly requests: readonly OriginRequest[]
}

/** The first answer stops in the middle; the job is suspended there and resumed, and `second` answers what follows. */
async function interrupted(first: Script, second: Script | ((request: OriginRequest) => Script)): Promise<Seen> {
  const path = `/f${count++}`
  const localName = join(daemon.files, path.slice(1))
  origin.route(path, (request) => (request.count === 0 ? { body: older, cutAfter: half, cut: 'stall', ...first } : typeof second === 'function' ? second(request) : second))
  const { job } = await client.call('job.create', { displayName: path, resume: true, files: [{ remoteName: origin.url(path), localName }] })
  while ((await client.call('job.get', { jobId: job.id })).job.progress.bytesTransferred < half) await client.call('system.ping')
  await client.call('job.suspend', { jobId: job.id })
  await client.call('job.resume', { jobId: job.id })
  const { job: after } = await client.call('job.wait', { jobId: job.id, states: ['transferred', 'error', 'transient-error'], timeoutSeconds: 20 })
  const isDone = after.state === 'transferred'
  if (isDone) await client.call('job.complete', { jobId: job.id })
  return { state: after.state, code: after.error?.code, content: isDone ? readFileSync(localName) : null, requests: origin.requestsFor(path) }
}

const monday = 'Mon, 05 Jan 2026 00:00:00 GMT'
const tuesday = 'Tue, 06 Jan 2026 00:00:00 GMT'

test('with the same strong ETag it goes on where it stopped', async () => {
  const { content, requests } = await interrupted({}, { body: older })
  assert.deepEqual(content, older)
  assert.equal(requests.length, 2)
  assert.equal(requests[1]?.headers.range, `bytes=${half}-`)
  assert.match(String(requests[1]?.headers['if-range']), /^"/)
})

test('with the same Last-Modified and length it goes on where it stopped', async () => {
  const { content, requests } = await interrupted({ etag: null, lastModified: monday }, { body: older, etag: null, lastModified: monday })
  assert.deepEqual(content, older)
  assert.deepEqual([requests[1]?.headers.range, requests[1]?.headers['if-range']], [`bytes=${half}-`, monday])
})

test('a Last-Modified of the second in which it was answered proves nothing, nor does one without a Date', async () => {
  for (const date of [monday, 'Sun, 04 Jan 2026 23:59:59 GMT', 'nonsense', null]) {
    const dated = { etag: null, lastModified: monday, date }
    const { content, requests } = await interrupted(dated, { body: newer, ...dated })
    assert.deepEqual(content, newer, String(date))
    assert.deepEqual(requests.map(({ headers }) => headers.range), [undefined, undefined], String(date))
  }
})

test('a Last-Modified one second older than the Date proves that it is the same', async () => {
  const dated = { etag: null, lastModified: monday, date: 'Mon, 05 Jan 2026 00:00:01 GMT' }
  assert.deepEqual((await interrupted(dated, { body: older, ...dated })).requests[1]?.headers.range, `bytes=${half}-`)
})

test('a part without Last-Modified goes on where If-Range named the date and the size is the same', async () => {
  const bare = (request: OriginRequest): Script => ({
    body: older.subarray(half), status: 206, ranges: false, etag: null, contentRange: `bytes ${half}-${size - 1}/${size}`,
    headers: { 'X-Asked': String(request.headers['if-range']) },
  })
  const { content, requests } = await interrupted({ etag: null, lastModified: monday }, bare)
  assert.deepEqual(content, older)
  assert.equal(requests.length, 2)
})

test('a whole file without a validator in place of the rest is taken only when it comes again', async () => {
  const path = '/hotel'
  const localName = join(daemon.files, 'hotel')
  const login = Buffer.from('<html>please log in</html>')
  origin.route(path, (request) => request.count === 0 ? { body: older, cutAfter: half, cut: 'stall' } : { body: login, etag: null, ranges: false })
  const { job } = await client.call('job.create', { displayName: path, resume: true, files: [{ remoteName: origin.url(path), localName }] })
  while ((await client.call('job.get', { jobId: job.id })).job.progress.bytesTransferred < half) await client.call('system.ping')
  await client.call('job.suspend', { jobId: job.id })
  const attempt = async (): Promise<{ state: string; bytes: number }> => {
    await client.call('job.resume', { jobId: job.id })
    const { job: after } = await client.call('job.wait', { jobId: job.id, states: ['transferred', 'error', 'transient-error'], timeoutSeconds: 20 })
    return { state: after.state, bytes: after.progress.bytesTransferred }
  }
  assert.deepEqual(await attempt(), { state: 'transient-error', bytes: half })
  assert.deepEqual(await attempt(), { state: 'transferred', bytes: login.length })
})

test('what was kept from a login page goes on once the page is gone', async () => {
  const login: Script = { body: Buffer.from('log in'), etag: null, ranges: false }
  const path = '/airport'
  const localName = join(daemon.files, 'airport')
  origin.route(path, ({ count }) => count === 0 ? { body: older, cutAfter: half, cut: 'reset' } : count === 1 ? login : { body: older })
  const { job } = await client.call('job.create', { displayName: path, resume: true, files: [{ remoteName: origin.url(path), localName }] })
  for (const expected of ['transient-error', 'transient-error', 'transferred'] as const) {
    const { job: after } = await client.call('job.wait', { jobId: job.id, states: ['transferred', 'error', 'transient-error'], timeoutSeconds: 20 })
    assert.equal(after.state, expected)
    if (expected !== 'transferred') await client.call('job.resume', { jobId: job.id })
  }
  assert.deepEqual(origin.requestsFor(path).map(({ headers }) => headers.range), [undefined, `bytes=${half}-`, `bytes=${half}-`])
})

test('a file that was replaced in the middle is the new one, by ETag and by Last-Modified', async () => {
  assert.deepEqual((await interrupted({}, { body: newer })).content, newer)
  assert.deepEqual((await interrupted({ etag: null, lastModified: monday }, { body: newer, etag: null, lastModified: tuesday })).content, newer)
  assert.deepEqual((await interrupted({}, { body: newer.subarray(0, half / 2) })).content, newer.subarray(0, half / 2))
})

test('a weak ETag alone proves nothing: the file starts again', async () => {
  const { content, requests } = await interrupted({ etag: 'W/"same"' }, { body: newer, etag: 'W/"same"' })
  assert.deepEqual(content, newer)
  assert.equal(requests[1]?.headers.range, undefined)
})

test('without any validator the file starts again', async () => {
  const { content, requests } = await interrupted({ etag: null }, { body: newer, etag: null })
  assert.deepEqual(content, newer)
  assert.equal(requests[1]?.headers.range, undefined)
})

test('a server that answers the whole file to a resume gives the whole file', async () => {
  assert.deepEqual((await interrupted({}, { body: newer, ranges: false })).content, newer)
  assert.deepEqual((await interrupted({}, { body: older, ranges: false })).content, older)
})

test('a part of another version, given in spite of If-Range, is never written', async () => {
  const lies = (request: OriginRequest): Script => (request.headers.range
    ? { body: newer.subarray(half), status: 206, ranges: false, etag: '"other"', contentRange: `bytes ${half}-${size - 1}/${size}` } : { body: newer, etag: '"other"' })
  const { content, state } = await interrupted({}, lies)
  if (content) assert.deepEqual(content, newer)
  else assert.notEqual(state, 'transferred')
})

test('a part without any validator is never written', async () => {
  const lies = (request: OriginRequest): Script => (request.headers.range
    ? { body: newer.subarray(half), status: 206, ranges: false, etag: null, contentRange: `bytes ${half}-${size - 1}/${size}` } : { body: newer })
  const { content } = await interrupted({}, lies)
  if (content) assert.deepEqual(content, newer)
})

const wrongRanges = [`bytes 0-${size - 1}/${size}`, `bytes ${half + 1}-${size - 1}/${size}`, `bytes ${half}-${size - 1}/${size + 1}`, `bytes ${half}-${size - 2}/${size}`, 'bytes */300000', 'items 1-2/3', 'nonsense', null]
for (const contentRange of wrongRanges) {
  test(`a Content-Range of ${String(contentRange)} is never written into the file`, async () => {
    const lies = (request: OriginRequest): Script => (request.headers.range
      ? { body: newer.subarray(half), status: 206, ranges: false, contentRange, etag: null, headers: { ETag: etagOf(request) } } : { body: newer })
    const { content } = await interrupted({}, lies)
    if (content) assert.deepEqual(content, newer)
  })
}

function etagOf(request: OriginRequest): string {
  const condition = request.headers['if-range']
  return typeof condition === 'string' ? condition : '"x"'
}

test('416 to a resume starts the file again', async () => {
  const short = newer.subarray(0, half - 1)
  const { content, requests } = await interrupted({}, (request) => (request.headers.range ? { status: 416, ranges: false, headers: { 'Content-Range': `bytes */${short.length}` } } : { body: short }))
  assert.deepEqual(content, short)
  assert.deepEqual(requests.map(({ headers }) => headers.range !== undefined), [false, true, false])
})

test('a body cut short and resumed many times comes out whole, each byte asked for once', async () => {
  const path = '/crumbs'
  const body = Buffer.from(Array.from({ length: 50_000 }, (_, at) => at % 251))
  origin.route(path, { body, cutAfter: 6000, cut: 'reset' })
  const localName = join(daemon.files, 'crumbs')
  const { job } = await client.call('job.create', { displayName: path, resume: true, files: [{ remoteName: origin.url(path), localName }] })
  let state = ''
  while (state !== 'transferred') {
    state = (await client.call('job.wait', { jobId: job.id, states: ['transient-error', 'transferred'] })).job.state
    if (state === 'transient-error') await client.call('job.resume', { jobId: job.id })
  }
  await client.call('job.complete', { jobId: job.id })
  assert.deepEqual(readFileSync(localName), body)
  const starts = origin.requestsFor(path).map(({ headers }) => Number(/\d+/.exec(headers.range ?? '0')?.[0]))
  assert.deepEqual(starts, [...new Set(starts)].sort((a, b) => a - b))
})
