// One file over several connections, against servers that do with the further ones whatever they like: the bytes are those of
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ResumePoint, TransferOrder } from '../link/messages.ts'
import { startOrigin, type Origin, type OriginRequest, type Script } from '../test/support/origin.ts'
import { orderFor, type Reported } from '../test/support/worker.ts'
import { ConnectionCount } from './connection-count.ts'
import { Connections } from './http/connections.ts'
import { Coverage } from './files/coverage.ts'
import { Download, type Report } from './download.ts'
import { Folders } from './files/folders.ts'
import { Hashing } from './hash/hashing.ts'

const body = randomBytes(8_000_000)
const other = randomBytes(body.length)
const sha256 = { algorithm: 'sha256' as const, value: createHash('sha256').update(body).digest('hex') }
const pace = { bytes: 100_000, everyMs: 10 }

interface Attempt {
  readonly last: Reported
  readonly bytes: Buffer
  readonly requests: readonly OriginRequest[]
  readonly seen: readonly Reported[]
}

interface Wanted {
  readonly script: (request: OriginRequest, origin: Origin) => Script
  readonly more?: Partial<TransferOrder>
  /** Stopped when so many bytes are there. After a stop or a failure another attempt goes on. */
  readonly stopAt?: number
}

async function attempt({ script, more = {}, stopAt = Infinity }: Wanted, check: (attempt: Attempt) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-parts-'))
  const [origin, connections, folders] = [await startOrigin(), new Connections(), new Folders()]
  const seen: Reported[] = []
  const report: Report = (name, params) => void seen.push({ name, params } as Reported)
  const run = async (resumePoint: ResumePoint | null, limit: number): Promise<Reported> => {
    const order = orderFor(origin.url('/file'), { localName: join(folder, 'file'), temporaryName: 'BH1.tmp', resumePoint }, { connections: 4, ...more })
    const download = new Download(order, { connections, folders, hashing: new Hashing(), report })
    const clock = setInterval(() => {
      download.tick(performance.now())
      const last = seen.at(-1)
      if (last?.name === 'transfer.progress' && last.params.bytesTransferred >= limit) download.stop()
    }, 5)
    await download.run()
    clearInterval(clock)
    return seen.at(-1) ?? assert.fail('nothing was reported')
  }
  try {
    origin.route('/file', (request) => script(request, origin))
    let last = await run(null, stopAt)
    for (let tries = 0; tries < 5 && (last.name === 'transfer.stopped' || last.name === 'transfer.failed'); tries++) {
      holds(last.params.resumePoint, readFileSync(join(folder, 'BH1.tmp')))
      last = await run(last.params.resumePoint, Infinity)
    }
    check({ last, seen, bytes: readFileSync(join(folder, 'BH1.tmp')), requests: origin.requestsFor('/file') })
  } finally {
    connections.close()
    folders.close()
    await origin.close()
    rmSync(folder, { recursive: true })
  }
}

function holds(resumePoint: ResumePoint | null, bytes: Buffer): void {
  const isOf = (whole: Buffer): boolean => (resumePoint?.durable ?? []).every(([from, to]) => bytes.subarray(from, to).equals(whole.subarray(from, to)))
  assert.ok(isOf(body) || isOf(other), 'what is durable is of the file')
}

function isWhole({ last, bytes }: Attempt): void {
  assert.equal(last.name, 'transfer.done', JSON.stringify(last.params))
  assert.ok(bytes.equals(body), 'the bytes are those of the remote file')
  const { resumePoint } = last.params as Extract<Reported, { name: 'transfer.done' }>['params']
  assert.deepEqual(resumePoint.durable, [[0, body.length]])
}

const first = (request: OriginRequest): boolean => request.count === 0

test('a file comes over several connections at once, each asked for its part of the same version', async () => {
  await attempt({ script: () => ({ body, pace }), more: { checksum: sha256 } }, (result) => {
    isWhole(result)
    const parts = result.requests.slice(1)
    assert.ok(new Set(result.requests.map(({ connection }) => connection)).size >= 3, 'several connections were used')
    for (const { headers } of parts) assert.ok(/^bytes=\d+-\d+$/.test(headers.range ?? '') && headers['if-range'], JSON.stringify(headers))
  })
})

test('with one connection asked for there is one', async () => {
  await attempt({ script: () => ({ body, pace }), more: { connections: 1 } }, (result) => {
    isWhole(result)
    assert.equal(result.requests.length, 1)
  })
})

test('progress never tells of more bytes than the file has', async () => {
  await attempt({ script: () => ({ body, pace }) }, ({ seen }) => {
    const told = seen.flatMap(({ name, params }) => (name === 'transfer.progress' ? [params.bytesTransferred] : []))
    assert.ok(told.length > 5 && told.every((bytes) => bytes <= body.length))
  })
})

const troubles: Readonly<Record<string, (request: OriginRequest) => Script>> = {
  'that knows no ranges': () => ({ body, pace, ranges: false }),
  'without a validator': () => ({ body, pace, etag: null }),
  'with a weak validator only': () => ({ body, pace, etag: 'W/"1"' }),
  'that has another version for them': (request) => (first(request) ? { body, pace } : { body: other, pace }),
  'that refuses them': (request) => (first(request) ? { body, pace } : { status: 503, body: Buffer.from('no') }),
  'that says another range': (request) => (first(request) ? { body, pace } : { body, pace, contentRange: `bytes 0-999/${body.length}` }),
  'that says no range': (request) => (first(request) ? { body, pace } : { body, pace, contentRange: null }),
  'that says another size': (request) => (first(request) ? { body, pace } : { body, pace, announcedLength: 77 }),
  'that resets them early': (request) => (first(request) ? { body, pace } : { body, pace, cutAfter: 300_000, cut: 'reset' }),
  'that ends them early': (request) => (first(request) ? { body, pace } : { body, pace, cutAfter: 150_000, cut: 'end' }),
  'that speaks nonsense to them': (request) => (first(request) ? { body, pace } : { raw: 'nonsense\r\n\r\n' }),
  'that closes them without a word': (request) => (first(request) ? { body, pace } : { raw: '' }),
}
for (const [what, script] of Object.entries(troubles)) {
  test(`further connections to a server ${what} do no harm`, async () => {
    await attempt({ script, more: { checksum: sha256 } }, (result) => {
      isWhole(result)
      assert.ok(!result.seen.some(({ name }) => name === 'transfer.failed'), 'in one attempt')
    })
  })
}

test('where the main connection is cut too, further attempts bring what is missing', async () => {
  await attempt({ script: ({ count }) => ({ body, pace, ...(count % 2 === 1 && { cutAfter: 400_000, cut: 'reset' as const }) }), more: { checksum: sha256 } }, isWhole)
})

test('where a newer connection ends the older one, the file comes over one in the same attempt, and in later ones', async () => {
  const script = (request: OriginRequest, origin: Origin): Script => {
    origin.dropConnections(request.connection)
    return { body, pace }
  }
  await attempt({ script, more: { checksum: sha256 }, stopAt: 4_000_000 }, (result) => {
    isWhole(result)
    assert.ok(!result.seen.some(({ name }) => name === 'transfer.failed'), 'nothing failed')
    const stopped = result.seen.find(({ name }) => name === 'transfer.stopped')
    assert.equal(stopped?.name === 'transfer.stopped' && stopped.params.resumePoint?.oneConnection, true)
    // The first, the one that ended it, the one that goes on, what the second one left; and one of the second attempt.
    assert.ok(result.requests.length <= 5, `${result.requests.length} requests`)
  })
})

test('a file that changed before its first byte came, while others brought theirs, is started over', async () => {
  let hasChanged = false
  const script = (request: OriginRequest): Script => {
    if (first(request)) return { body: other, cutAfter: 0, cut: 'stall' }
    const isCut = !hasChanged && request.headers.range === undefined
    hasChanged ||= isCut
    return { body: hasChanged ? body : other, pace, ...(isCut && { cutAfter: 300_000 }) }
  }
  await attempt({ script, stopAt: 1_000_000 }, (result) => {
    isWhole(result)
    assert.ok(hasChanged)
  })
})

test('what was durable in pieces is gone on with, and only the gaps are asked for', async () => {
  await attempt({ script: () => ({ body, pace }), more: { checksum: sha256 }, stopAt: 3_000_000 }, (result) => {
    isWhole(result)
    const stoppedAt = result.seen.findIndex(({ name }) => name === 'transfer.stopped')
    const { resumePoint } = result.seen[stoppedAt]?.params as Extract<Reported, { name: 'transfer.stopped' }>['params']
    assert.ok(resumePoint && resumePoint.durable.length >= 2, JSON.stringify(resumePoint?.durable))
  })
})

test('a remote file that changed between two attempts is started over, pieces and all', async () => {
  let isOld = true
  const script = (request: OriginRequest): Script => {
    // Only a request of a second attempt is for what comes right after the first bytes, and up to a piece.
    if (request.connection >= 4) isOld = false
    return { body: isOld ? other : body, pace }
  }
  const hash = createHash('sha256').update(other).digest('hex')
  await attempt({ script, stopAt: 3_000_000 }, ({ last, bytes }) => {
    assert.equal(last.name, 'transfer.done', JSON.stringify(last.params))
    assert.ok(bytes.equals(body) || createHash('sha256').update(bytes).digest('hex') === hash, 'never a mixture')
  })
})

test('connections are added while they help and taken back when they do not', () => {
  const feed = (rateOf: (count: number) => number): number => {
    const count = new ConnectionCount(0, Infinity)
    let [wanted, received] = [1, 0]
    for (let now = 0; now < 6000; now += 250) {
      received += rateOf(wanted) * 0.25
      wanted = count.after(received, 1e9, now)
    }
    return wanted
  }
  const megabyte = 1024 * 1024
  assert.equal(feed(() => 500 * megabyte), 1)
  assert.equal(feed(() => megabyte), 1)
  assert.equal(feed((count) => count * megabyte), 8)
  assert.equal(feed((count) => Math.min(count, 4) * megabyte), 4)
  assert.equal(feed(() => 0), 1)
})

test('from far away a large file has all connections at once, if the server takes ranges', () => {
  const first = (answerMs: number, missing: number): number => new ConnectionCount(answerMs, missing).after(0, missing, 0)
  assert.deepEqual([first(100, 1e9), first(100, 1e6), first(1, 1e9), first(0, 1e9)], [8, 1, 1, 1])
})

test('spans join where they touch, and gaps are found', () => {
  const coverage = new Coverage([[0, 10], [30, 40]])
  assert.deepEqual(coverage.firstGap(), { from: 10, to: 30 })
  coverage.add(10, 15)
  coverage.add(28, 35)
  assert.deepEqual([coverage.spans, coverage.prefix, coverage.bytes, coverage.end], [[[0, 15], [28, 40]], 15, 27, 40])
  coverage.add(12, 30)
  assert.deepEqual([coverage.spans, coverage.firstGap()], [[[0, 40]], { from: 40, to: null }])
  assert.deepEqual(new Coverage([[0, 10], [30, 40]]).upTo(35).spans, [[0, 10], [30, 35]])
  assert.deepEqual(new Coverage([[5, 10]]).firstGap(), { from: 0, to: 5 })
})
