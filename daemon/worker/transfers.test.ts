// A real worker process against a real server that is wrong in many ways. Every case runs with a small file and with a large
// one; where its length is plain once straight from the socket, once through the HTTP client: all must end alike.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import type { FailureCode } from '../../protocol/failures.ts'
import type { LocalFile, ResumePoint, TransferOrder } from '../link/messages.ts'
import { mountProblem, mountSmall } from '../test/support/mount.ts'
import { startOrigin, type Origin, type Script } from '../test/support/origin.ts'
import { orderFor, startWorker, type Reported, type TestWorker } from '../test/support/worker.ts'

let origin: Origin
let worker: TestWorker
let folder = ''
let files = 0

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'backhaul-worker-'))
  origin = await startOrigin()
  worker = await startWorker()
})
after(async () => {
  await worker.close()
  await origin.close()
  rmSync(folder, { recursive: true })
})

/** statfs(2). */
const ext4 = 0xef53
const http = { method: 'GET', headers: {}, redirects: 'allow', redirectToHttp: false } as const
const tmpfs = 0x01021994
const sizes = { small: 20_000, large: 3_000_000 }
const contents = { small: randomBytes(sizes.small), large: randomBytes(sizes.large) }
type Size = keyof typeof sizes

function localFile(resumePoint: ResumePoint | null = null): LocalFile {
  files += 1
  return { localName: join(folder, `file-${files}`), temporaryName: `BH${files}.tmp`, resumePoint }
}

const bytesOf = (file: LocalFile): Buffer => readFileSync(join(folder, file.temporaryName))

function assertDone(last: Reported, file: LocalFile, expected: Buffer): ResumePoint {
  assert.equal(last.name, 'transfer.done', JSON.stringify(last.params))
  assert.ok(bytesOf(file).equals(expected), 'the bytes are those of the remote file')
  const { resumePoint } = last.params as Extract<Reported, { name: 'transfer.done' }>['params']
  assert.deepEqual([resumePoint.bytesTotal, resumePoint.durable], [expected.length, expected.length === 0 ? [] : [[0, expected.length]]])
  return resumePoint
}

function assertFailed(last: Reported, code: FailureCode): ResumePoint | null {
  assert.equal(last.name, 'transfer.failed', JSON.stringify(last.params))
  const { failure, resumePoint } = last.params as Extract<Reported, { name: 'transfer.failed' }>['params']
  assert.equal(failure.code, code, failure.message)
  return resumePoint
}

const run = (path: string, file: LocalFile, more: Partial<TransferOrder> = {}): Promise<Reported> => worker.transfer(orderFor(origin.url(path), file, more))

function route(script: Script | Parameters<Origin['route']>[1]): string {
  const path = `/route-${origin.requests.length}-${Math.random().toString(36).slice(2)}`
  origin.route(path, script)
  return path
}

/** A head with anything that looks like a second length is left to the HTTP client, and the body with it. */
function notPlain(script: Script): Script {
  if (script.raw === undefined) return { ...script, headers: { ...script.headers, 'Content-Length-Too': '1' } }
  const raw = Buffer.from(script.raw).toString('latin1').replace('\r\nContent-Length', '\r\nContent-Length-Too: 1\r\nContent-Length')
  return { ...script, raw: Buffer.from(raw, 'latin1') }
}

const ways = [
  { kind: 'small', size: 'small', of: (script: Script) => script }, { kind: 'large', size: 'large', of: (script: Script) => script },
  { kind: 'small, not plainly sent', size: 'small', of: notPlain }, { kind: 'large, not plainly sent', size: 'large', of: notPlain },
] as const satisfies { kind: string; size: Size; of: (script: Script) => Script }[]

test('a file is asked for as it was named, also where a redirect leads', async () => {
  const body = contents.small
  for (const named of ["/k?filename='a.zip'", '/k/%2e%2e/b?x=1', '/k?', '/k/a|b{c}', '/k\\b']) {
    const from = route({ status: 302, headers: { Location: origin.url(named) } })
    origin.route(named.split('?')[0] ?? '', { body })
    for (const path of [named, from]) {
      const file = localFile()
      assertDone(await run(path, file, { http: { ...http, redirects: 'allow-report' } }), file, body)
      assert.equal(origin.requests.at(-1)?.path, named)
    }
  }
})

test('a Location of raw bytes leads to the same bytes', async () => {
  for (const [raw, asked] of [[Buffer.from('/café 中'), '/caf%C3%A9%20%E4%B8%AD'], [Buffer.from('/caf\xe9', 'latin1'), '/caf%E9']] as const) {
    origin.route(asked, { body: contents.small })
    const path = route({ raw: Buffer.concat([Buffer.from('HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: '), raw, Buffer.from('\r\n\r\n')]) })
    const file = localFile()
    assertDone(await run(path, file), file, contents.small)
  }
})

for (const { kind, size, of } of ways) {
  const body = contents[size]
  const routed: typeof route = (script) => route(typeof script === 'function' ? (request) => of(script(request)) : of(script))
  const half = Math.floor(body.length / 2)
  const etag = '"v1"'

  test(`a ${kind} file arrives whole, whatever the framing`, async () => {
    for (const framing of ['length', 'chunked', 'close'] as const) {
      const file = localFile()
      assertDone(await run(routed({ body, framing }), file), file, body)
    }
  })

  test(`a ${kind} file that was cut off goes on where it was`, async () => {
    for (const [cut, framing] of [['reset', 'length'], ['end', 'length'], ['end', 'chunked']] as const) {
      const path = routed(({ count }) => count === 0 ? { body, etag, cutAfter: half, cut } : { body, etag, framing })
      const file = localFile()
      const resumePoint = assertFailed(await run(path, file), 'connection-closed')
      assert.ok(resumePoint && (resumePoint.durable[0]?.[1] ?? 0) > 0, 'some bytes are durable')
      assertDone(await run(path, { ...file, resumePoint }), file, body)
      const [, second] = origin.requestsFor(path)
      assert.equal(second?.headers.range, `bytes=${resumePoint.durable[0]?.[1]}-`)
      assert.equal(second?.headers['if-range'], etag)
    }
  })

  test(`a ${kind} file without a validator starts again`, async () => {
    const path = routed(({ count }) => ({ body, etag: 'W/"v1"', ...(count === 0 ? { cutAfter: half } : {}) }))
    const file = localFile()
    const resumePoint = assertFailed(await run(path, file), 'connection-closed')
    assertDone(await run(path, { ...file, resumePoint }), file, body)
    assert.equal(origin.requestsFor(path)[1]?.headers.range, undefined)
  })

  const other = randomBytes(body.length)
  const resumes: [string, (count: number) => Script, Buffer][] = [
    ['has changed', () => ({ body: other, etag: '"v2"' }), other],
    ['became longer', () => ({ body: Buffer.concat([other, other]), etag: '"v2"' }), Buffer.concat([other, other])],
    ['became shorter', () => ({ body: other.subarray(0, 100), etag: '"v2"' }), other.subarray(0, 100)],
    ['has changed though the server ignores If-Range', (count) => count === 1 ? { body: other, etag: '"v2"', status: 206, ranges: false, contentRange: `bytes ${half}-${body.length - 1}/${body.length}` } : { body: other, etag: '"v2"' }, other],
    ['comes from the wrong place', (count) => count === 1 ? { body, etag, contentRange: `bytes ${half + 1}-${body.length - 1}/${body.length}` } : { body, etag }, body],
    ['comes with another total', (count) => count === 1 ? { body, etag, contentRange: `bytes ${half}-${body.length - 1}/${body.length + 1}` } : { body, etag }, body],
    ['is answered with 416', (count) => count === 1 ? { status: 416, etag } : { body, etag }, body],
    ['is answered whole', () => ({ body, etag, ranges: false }), body],
  ]
  for (const [what, script, expected] of resumes) {
    test(`a ${kind} file that ${what} is one version in the end`, async () => {
      const path = routed(({ count }) => count === 0 ? { body, etag, cutAfter: half } : script(count))
      const file = localFile()
      const resumePoint = assertFailed(await run(path, file), 'connection-closed')
      assertDone(await run(path, { ...file, resumePoint }), file, expected)
    })
  }

  const failing: [string, Script, FailureCode][] = [
    ['that is shorter than announced', { body, announcedLength: body.length + 10, cutAfter: body.length, cut: 'end' }, 'connection-closed'],
    ['cut off before a connection that was to close', { raw: Buffer.concat([Buffer.from(`HTTP/1.0 200 OK\r\nContent-Length: ${body.length + 1}\r\n\r\n`), body]) }, 'connection-closed'],
    ['with neither head nor length', { raw: Buffer.concat([Buffer.from('HTTP/1.1 204 No Content\r\n\r\n'), body]) }, 'http-error'],
    ['cut in the middle of its chunks', { body, framing: 'chunked', cutAfter: half, cut: 'end' }, 'connection-closed'],
    ['without length, cut by a reset', { body, framing: 'close', cutAfter: half, cut: 'reset' }, 'connection-closed'],
    ['cut by a reset in the middle of its last chunks', { body, framing: 'chunked', headers: { Connection: 'close' }, cutAfter: half, cut: 'reset' }, 'connection-closed'],
    ['cut by a reset in the middle of a chunk', { raw: Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`), body.subarray(0, half)]) }, 'connection-closed'],
    ['with a broken chunk', { raw: Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`), body, Buffer.from('\r\nxyz\r\n')]) }, 'invalid-server-response'],
    ['with two lengths', { body, headers: { 'Content-Length': String(body.length + 1) } }, 'invalid-server-response'],
    ['sent as a part that nobody asked for', { body, status: 206, contentRange: `bytes 0-${body.length - 1}/${body.length}` }, 'invalid-server-response'],
    ['with a range though it is whole', { body, contentRange: `bytes 0-${body.length - 1}/${body.length}` }, 'invalid-server-response'],
    ['with status 404', { body, status: 404 }, 'http-error'],
    ['with status 503', { body, status: 503, headers: { 'Retry-After': '7' } }, 'http-error'],
    ['whose head is endless', { raw: `HTTP/1.1 200 OK\r\n${'X-Filler: yes\r\n'.repeat(20_000)}\r\n` }, 'invalid-server-response'],
    ['whose answer is in HTTP/2.0 by name', { raw: Buffer.concat([Buffer.from(`HTTP/2.0 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]) }, 'unsupported-protocol'],
    ['whose answer is not HTTP', { raw: body }, 'invalid-server-response'],
    ['in place of which nothing comes', { raw: '' }, 'connection-closed'],
    ['whose length is no number', { raw: Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: +${body.length}\r\n\r\n`), body]) }, 'invalid-server-response'],
    ['whose length goes on in the next line', { raw: Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 0\r\n\r\n`), body]) }, 'invalid-server-response'],
    ['whose head is never finished', { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n' }, 'connection-closed'],
    ['that switches protocols', { raw: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello' }, 'connection-closed'],
  ]
  for (const [what, script, code] of failing) {
    test(`a ${kind} file ${what} fails with ${code}`, async () => {
      const file = localFile()
      assertFailed(await run(routed(script), file), code)
    })
  }

  const head = `Content-Length: ${body.length}\r\n\r\n`
  const odd: [string, string, string][] = [
    ['an unexpected 100', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n', head],
    ['many interim answers', `${'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'.repeat(100)}HTTP/1.1 200 OK\r\n`, head],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n', head],
    ['HTTP/1.0 and no length', 'HTTP/1.0 200 OK\r\n', '\r\n'],
    ['no reason', 'HTTP/1.1 200\r\n', head],
    ['the length in odd clothes', 'HTTP/1.1 200 OK\r\n', head.replace('Content-Length: ', 'Content-Length:\t 00').replace('\r\n', ' \r\n')],
    ['a head whose lines end as of old', 'HTTP/1.1 200 OK\nServer: x\n', head.replaceAll('\r\n', '\n')],
    ['a head whose lines are folded', 'HTTP/1.1 200 OK\r\nServer: x\r\n y\r\n\tz\r\n', head.replace(': ', ':\r\n ')],
    ['the same length twice in a line', 'HTTP/1.1 200 OK\r\n', head.replace(String(body.length), `${body.length}, ${body.length}`)],
    ['the same length in two lines', `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nServer: x\r\n`, head],
    ['the name of a protocol that it might speak', 'HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade\r\n', head],
  ]
  for (const [what, begin, end] of odd) {
    test(`a ${kind} file after ${what} arrives whole`, async () => {
      const file = localFile()
      assertDone(await run(routed({ raw: Buffer.concat([Buffer.from(begin + end), body]) }), file), file, body)
    })
  }

  test(`a ${kind} file with a Content-Encoding is stored, resumed and proved as it was sent`, async () => {
    const checksum = { algorithm: 'sha256', value: createHash('sha256').update(body).digest('hex') } as const
    for (const label of ['gzip', 'x-gzip', 'none', 'binary', 'aws-chunked', 'UTF-8', 'gzip, br', '', '"']) {
      const headers = { 'Content-Encoding': label, 'Content-Type': 'text/html' }
      const path = routed(({ count }) => ({ body, etag, headers, ...(count === 0 ? { cutAfter: half } : {}) }))
      const file = localFile()
      const resumePoint = assertFailed(await run(path, file, { checksum }), 'connection-closed')
      assertDone(await run(path, { ...file, resumePoint }, { checksum }), file, body)
      const asked = origin.requestsFor(path).map(({ headers }) => [headers['accept-encoding'], headers.range])
      assert.deepEqual(asked, [['identity', undefined], ['identity', `bytes=${resumePoint?.durable[0]?.[1]}-`]])
    }
  })

  test(`a ${kind} file that is stopped goes on later`, async () => {
    const path = routed(({ count }) => count === 0 ? { body, etag, cutAfter: half, cut: 'stall' } : { body, etag })
    const file = localFile()
    const order = orderFor(origin.url(path), file)
    const last = worker.transfer(order)
    await worker.until(({ name, params }) => name === 'transfer.progress' && params.transferId === order.transferId && params.bytesTransferred === half)
    await worker.order('transfer.stop', { transferId: order.transferId })
    const stopped = await last
    assert.equal(stopped.name, 'transfer.stopped')
    const { resumePoint } = stopped.params as Extract<Reported, { name: 'transfer.stopped' }>['params']
    assert.deepEqual(resumePoint?.durable, [[0, half]])
    assertDone(await run(path, { ...file, resumePoint }), file, body)
  })

  test(`the checksum of a ${kind} file is held against it, also across a resume`, async () => {
    for (const algorithm of ['sha256', 'sha512', 'sha1', 'md5'] as const) {
      const checksum = { algorithm, value: createHash(algorithm).update(body).digest('hex') }
      const path = routed(({ count }) => count === 0 ? { body, etag, cutAfter: half } : { body, etag })
      const file = localFile()
      const resumePoint = assertFailed(await run(path, file, { checksum }), 'connection-closed')
      assertDone(await run(path, { ...file, resumePoint }, { checksum }), file, body)
      const wrong = { algorithm, value: createHash(algorithm).update('x').digest('hex') }
      const left = assertFailed(await run(path, localFile(), { checksum: wrong }), 'checksum-mismatch')
      assert.deepEqual(left?.durable ?? [], [])
    }
  })

  test(`a ${kind} file beyond the limit of the job is refused, announced or not`, async () => {
    for (const framing of ['length', 'chunked'] as const) {
      assertFailed(await run(routed({ body, framing }), localFile(), { maximumBytes: body.length - 1 }), 'maximum-download-bytes')
      const file = localFile()
      assertDone(await run(routed({ body, framing }), file, { maximumBytes: body.length }), file, body)
    }
  })

  test(`a connection over which a ${kind} file came is used again, and a dead one is no failure`, async () => {
    const path = routed({ body })
    for (let count = 0; count < 3; count++) {
      const file = localFile()
      assertDone(await run(path, file), file, body)
    }
    assert.equal(new Set(origin.requestsFor(path).map(({ connection }) => connection)).size, 1)
    origin.dropConnections()
    const file = localFile()
    assertDone(await run(path, file), file, body)
  })

  test(`a ${kind} file that more bytes follow is done, and its connection is not used again`, async () => {
    for (const more of ['more', '\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc']) {
      for (const connection of ['close', 'keep-alive']) {
        const raw = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nConnection: ${connection}\r\n${head}`), body, Buffer.from(more)])
        const path = routed({ raw, keepOpen: true })
        for (const file of [localFile(), localFile()]) assertDone(await run(path, file), file, body)
        assert.equal(new Set(origin.requestsFor(path).map(({ connection }) => connection)).size, 2, more)
      }
    }
  })

  test(`bytes that come so late that the next ${kind} file was asked for are no failure of that`, async () => {
    const path = routed(({ count }) => count === 1 ? { raw: 'more', keepOpen: true } : { body })
    for (const file of [localFile(), localFile()]) assertDone(await run(path, file), file, body)
    const [first, second, third] = origin.requestsFor(path).map(({ connection }) => connection)
    assert.ok(second === first && third !== first)
    const emptyLine = routed({ raw: Buffer.concat([Buffer.from(`\r\nHTTP/1.1 200 OK\r\n${head}`), body]) })
    const file = localFile()
    assertDone(await run(emptyLine, file), file, body)
  })

  test(`ranges of a ${kind} file are put one after another`, async () => {
    const ranges = [{ offset: half, length: 1000 }, { offset: 0, length: half - 5 }, { offset: body.length - 7, length: null }]
    const expected = Buffer.concat([body.subarray(half, half + 1000), body.subarray(0, half - 5), body.subarray(body.length - 7)])
    const file = localFile()
    const path = routed(({ count }) => ({ body, etag, ...(count === 1 ? { cutAfter: 3000 } : {}) }))
    const resumePoint = assertFailed(await run(path, file, { ranges }), 'connection-closed')
    assertDone(await run(path, { ...file, resumePoint }, { ranges }), file, expected)
    assertFailed(await run(routed({ body, ranges: false }), localFile(), { ranges }), 'insufficient-range-support')
    assertFailed(await run(routed({ body }), localFile(), { ranges: [{ offset: body.length, length: 5 }] }), 'invalid-range')
    assertFailed(await run(routed({ body }), localFile(), { ranges: [{ offset: body.length - 2, length: 5 }] }), 'invalid-range')
  })
}

test('a server that speaks HTTP/2 only is no use, now and later', async () => {
  const server = createHttp2Server()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  assertFailed(await worker.transfer(orderFor(`http://127.0.0.1:${port}/`, localFile())), 'unsupported-protocol')
  await new Promise((resolve) => server.close(resolve))
})

test('an answer may come in pieces of any size', async () => {
  const body = randomBytes(300)
  const raw = Buffer.concat([Buffer.from(`HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`), body])
  for (const bytes of [1, 7, 60, 100]) {
    const file = localFile()
    assertDone(await run(route({ raw, pace: { bytes, everyMs: 1 } }), file), file, body)
  }
})

test('a connection is used again after a body that took longer than the server keeps an idle one', async () => {
  const path = route({ body: contents.small, headers: { 'Keep-Alive': 'timeout=2' }, pace: { bytes: 7000, everyMs: 800 } })
  for (const file of [localFile(), localFile()]) assertDone(await run(path, file), file, contents.small)
  assert.deepEqual(origin.requestsFor(path).map(({ connection }) => connection), Array(2).fill(origin.requestsFor(path)[0]?.connection))
})

test('an empty file is a file', async () => {
  const file = localFile()
  const resumePoint = assertDone(await run(route({ body: Buffer.alloc(0) }), file), file, Buffer.alloc(0))
  assert.deepEqual(await worker.order('files.publish', { files: [{ ...file, resumePoint }] }), { failures: [null] })
  assert.equal(readFileSync(file.localName).length, 0)
})

test('a file that is complete already is not asked for again', async () => {
  const path = route({ body: contents.small })
  const file = localFile()
  const resumePoint = assertDone(await run(path, file), file, contents.small)
  assertDone(await run(path, { ...file, resumePoint }), file, contents.small)
  assert.equal(origin.requestsFor(path).length, 1)
})

test('redirects are followed, reported if wanted, and refused if not', async () => {
  const body = contents.small
  const end = route({ body })
  const start = route({ status: 302, headers: { Location: end } })
  const file = localFile()
  assertDone(await run(start, file), file, body)
  const order = orderFor(origin.url(start), localFile(), { http: { method: 'GET', headers: {}, redirects: 'allow-report', redirectToHttp: false } })
  await worker.transfer(order)
  const connected = await worker.until(({ name, params }) => name === 'transfer.connected' && params.transferId === order.transferId)
  assert.equal('remoteName' in connected.params && connected.params.remoteName, origin.url(end))
  assertFailed(await run(start, localFile(), { http: { method: 'GET', headers: {}, redirects: 'disallow', redirectToHttp: false } }), 'http-error')
  const loop = route(() => ({ status: 302, headers: { Location: loop } }))
  assertFailed(await run(loop, localFile()), 'too-many-redirects')
  assert.equal(origin.requestsFor(loop).length, 11)
})

test('a job\'s own headers are sent, and secrets are in no report', async () => {
  const path = route({ status: 403 })
  const remoteName = origin.url(`${path}?token=hidden-query`).replace('http://', 'http://me:hidden-word@')
  const last = await worker.transfer(orderFor(remoteName, localFile(), { http: { method: 'GET', headers: { 'X-Token': 'hidden-header' }, redirects: 'allow', redirectToHttp: false } }))
  assertFailed(last, 'http-error')
  const [request] = origin.requestsFor(path)
  assert.equal(request?.headers['x-token'], 'hidden-header')
  assert.equal(request?.headers.authorization, `Basic ${Buffer.from('me:hidden-word').toString('base64')}`)
  assert.match(request?.headers['user-agent'] ?? '', /^Backhaul\//)
  assert.equal(request?.headers['accept-encoding'], 'identity')
  assert.doesNotMatch(JSON.stringify(worker.seen), /hidden-/)
})

test('what cannot be reached fails by its name', async () => {
  const closed = await startOrigin()
  const gone = closed.url('/')
  await closed.close()
  assertFailed(await worker.transfer(orderFor(gone, localFile())), 'cannot-connect')
  assertFailed(await worker.transfer(orderFor('http://no-such-host.invalid/', localFile())), 'name-not-resolved')
  assertFailed(await worker.transfer(orderFor('https://127.0.0.1:' + origin.port, localFile())), 'tls-failure')
  assertFailed(await run('/', { ...localFile(), localName: join(folder, 'no-such-folder', 'file') }), 'folder-not-found')
})

test('a full disk is noticed before the bytes are fetched, and while they are', { skip: mountProblem() }, async () => {
  const full = mkdtempSync(join(tmpdir(), 'backhaul-full-'))
  const unmount = mountSmall(full)
  try {
    const file = { localName: join(full, 'file'), temporaryName: 'BH1.tmp', resumePoint: null }
    const announced = route({ body: contents.large })
    assert.deepEqual(assertFailed(await run(announced, file), 'disk-full')?.durable, [])
    const resumePoint = assertFailed(await run(route({ body: contents.large, framing: 'chunked' }), file), 'disk-full')
    assert.ok((resumePoint?.durable[0]?.[1] ?? 0) <= 1024 * 1024)
    assert.deepEqual(await worker.order('files.remove', { files: [{ ...file, resumePoint }] }), { failures: [null] })
  } finally {
    // The worker may still hold the folder that it keeps for the next file.
    unmount()
    rmSync(full, { recursive: true })
  }
})

test('bytes of a large plain body go from socket to file past the worker', { skip: process.platform !== 'linux' || statfsSync(tmpdir()).type !== ext4 }, async () => {
  const body = randomBytes(20_000_000)
  const writtenBytes = (): number => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${worker.pid}/io`, 'utf8'))?.[1])
  const before = writtenBytes()
  const file = localFile()
  assertDone(await run(route({ body }), file), file, body)
  assert.ok(writtenBytes() - before < body.length, `${writtenBytes() - before} bytes were written`)
})

test('many transfers at once do not mix', async () => {
  const bodies = Array.from({ length: 30 }, (_, index) => randomBytes(index % 3 === 0 ? 700_000 : 5000))
  await Promise.all(bodies.map(async (body) => {
    const file = localFile()
    assertDone(await run(route({ body, pace: { bytes: 100_000, everyMs: 1 } }), file), file, body)
  }))
})

test('a killed worker loses nothing that it had reported durable', async () => {
  const body = randomBytes(20_000_000)
  const path = route(({ count }) => ({ body, ...(count === 0 ? { cutAfter: 18_000_000, cut: 'stall' as const } : {}) }))
  const checksum = { algorithm: 'sha256' as const, value: createHash('sha256').update(body).digest('hex') }
  const own = await startWorker()
  const file = localFile()
  await own.order('transfer.start', orderFor(origin.url(path), file))
  const { params } = await own.until(({ name }) => name === 'transfer.checkpoint')
  process.kill(own.pid, 'SIGKILL')
  await own.exit
  const { resumePoint } = params as Extract<Reported, { name: 'transfer.checkpoint' }>['params']
  assertDone(await run(path, { ...file, resumePoint }, { checksum }), file, body)
  const from = Number(/^bytes=(\d+)-$/.exec(origin.requestsFor(path)[1]?.headers.range ?? '')?.[1])
  assert.ok(from >= Number(resumePoint.durable[0]?.[1]) && from <= 18_000_000, `it went on from ${from}`)
})

test('a killed worker with several connections loses nothing that it had reported written', { skip: ![ext4, tmpfs].includes(statfsSync(tmpdir()).type) && 'the file system does not tell what was written' }, async () => {
  const body = randomBytes(8_000_000)
  const path = route(({ count }) => ({ body, etag: '"1"', ...count < 4 && { pace: { bytes: 50_000, everyMs: 20 } } }))
  const own = await startWorker()
  const file = localFile()
  await own.order('transfer.start', orderFor(origin.url(path), file, { connections: 4 }))
  const bytesOfAll = (spans: readonly (readonly [number, number])[]): number => spans.reduce((sum, [from, to]) => sum + to - from, 0)
  const { params } = await own.until(({ name, params }) => name === 'transfer.checkpoint' && bytesOfAll(params.resumePoint.place?.written ?? []) > 3_000_000)
  process.kill(own.pid, 'SIGKILL')
  await own.exit
  const asked = origin.requestsFor(path).length
  const { resumePoint } = params as Extract<Reported, { name: 'transfer.checkpoint' }>['params']
  assertDone(await run(path, { ...file, resumePoint }, { connections: 1 }), file, body)
  const ranges = origin.requestsFor(path).slice(asked).map(({ headers }) => /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? assert.fail('asked for all'))
  const fetched = ranges.reduce((sum, [, from, to]) => sum + (to === '' ? body.length : Number(to) + 1) - Number(from), 0)
  assert.equal(fetched, body.length - bytesOfAll(resumePoint.place?.written ?? []))
})

test('when the link closes, what is there is flushed and the worker ends in order', async () => {
  const own = await startWorker()
  const path = route({ body: contents.large, cutAfter: 2_000_000, cut: 'stall' })
  const file = localFile()
  const order = orderFor(origin.url(path), file)
  await own.order('transfer.start', order)
  await own.until(({ name, params }) => name === 'transfer.progress' && params.bytesTransferred === 2_000_000)
  own.closeLink()
  assert.equal(await own.exit, 0)
  assert.ok(bytesOf(file).equals(contents.large.subarray(0, 2_000_000)))
  assert.ok(!existsSync(file.localName))
})
