// The clock of a transfer: it is told the time by `tick`, so its limits are tested without waiting for them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startOrigin, type Script } from '../test/support/origin.ts'
import { orderFor, type Reported } from '../test/support/worker.ts'
import { Connections } from './http/connections.ts'
import { Download, type Report } from './download.ts'
import { Folders } from './files/folders.ts'
import { Hashing } from './hash/hashing.ts'

interface Stage {
  readonly download: Download
  readonly ended: Promise<void>
  readonly seen: Reported[]
  readonly partialFile: string
  /** Ticks with the real time until `fits` holds. */
  until(fits: () => boolean): Promise<void>
}

async function stage(script: Script, act: (stage: Stage) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-download-'))
  const [origin, connections, folders] = [await startOrigin(), new Connections(), new Folders()]
  const seen: Reported[] = []
  const report: Report = (name, params) => void seen.push({ name, params } as Reported)
  try {
    origin.route('/file', script)
    const order = orderFor(origin.url('/file'), { localName: join(folder, 'file'), temporaryName: 'BH1.tmp', resumePoint: null })
    const download = new Download(order, { connections, folders, hashing: new Hashing(), report })
    const ended = download.run()
    const until = async (fits: () => boolean): Promise<void> => {
      while (!fits()) {
        download.tick(performance.now())
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await origin.asked('/file')
    await act({ download, ended, seen, until, partialFile: join(folder, 'BH1.tmp') })
  } finally {
    connections.close()
    folders.close()
    await origin.close()
    rmSync(folder, { recursive: true })
  }
}

const later = (ms: number): number => performance.now() + ms
const last = (seen: readonly Reported[]): unknown => {
  const [reported] = seen.slice(-1)
  return reported?.name === 'transfer.failed' ? reported.params.failure.code : reported?.name
}

test('a server that does not answer is given 30 seconds', async () => {
  await stage({ raw: '', keepOpen: true }, async ({ download, ended, seen }) => {
    download.tick(later(0))
    download.tick(later(29_000))
    assert.equal(seen.length, 0)
    download.tick(later(31_000))
    await ended
    assert.equal(last(seen), 'connection-timeout')
  })
})

test('a server that never ends its interim answers is given 30 seconds', async () => {
  await stage({ raw: 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50), keepOpen: true }, async ({ download, ended, seen }) => {
    download.tick(later(0))
    download.tick(later(31_000))
    await ended
    assert.equal(last(seen), 'connection-timeout')
  })
})

for (const [size, bytes] of [['small', 1000], ['large', 2_000_000]] as const) {
  test(`a ${size} file that stops coming is given 60 seconds, and keeps what came`, async () => {
    await stage({ body: Buffer.alloc(bytes, 'x'), cutAfter: bytes / 2, cut: 'stall' }, async ({ download, ended, seen, until, partialFile }) => {
      const received = (): number => Math.max(0, ...seen.map(({ name, params }) => name === 'transfer.progress' ? params.bytesTransferred : 0))
      await until(() => received() === bytes / 2)
      download.tick(later(0))
      download.tick(later(59_000))
      assert.notEqual(last(seen), 'connection-timeout')
      download.tick(later(61_000))
      await ended
      assert.equal(last(seen), 'connection-timeout')
      assert.equal(statSync(partialFile).size, bytes / 2)
    })
  })
}

test('a transfer is checkpointed after five seconds even if little came', async () => {
  await stage({ body: Buffer.alloc(1000, 'x'), cutAfter: 500, cut: 'stall' }, async ({ download, ended, seen, until }) => {
    await until(() => seen.some(({ name }) => name === 'transfer.progress'))
    assert.ok(!seen.some(({ name }) => name === 'transfer.checkpoint'))
    download.tick(later(5500))
    await until(() => seen.some(({ name, params }) => name === 'transfer.checkpoint' && params.resumePoint.durable[0]?.[1] === 500))
    download.stop()
    await ended
    assert.equal(last(seen), 'transfer.stopped')
  })
})

test('where a kept connection ends just before the next request goes out, that goes over a new one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-download-'))
  const [origin, connections, folders] = [await startOrigin(), new Connections(), new Folders()]
  const seen: Reported[] = []
  const download = (name: string): Download => new Download(
    orderFor(origin.url('/file'), { localName: join(folder, name), temporaryName: `BH${name}.tmp`, resumePoint: null }),
    { connections, folders, hashing: new Hashing(), report: (report, params) => void seen.push({ name: report, params } as Reported) },
  )
  try {
    origin.route('/file', { body: Buffer.from('content') })
    await download('1').run()
    await origin.endConnections()
    // A timer that is due runs before the end is read, and the request would be sent after it.
    const second = download('2')
    const ended = new Promise<void>((resolve) => { setTimeout(() => resolve(second.run()), 1) })
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    const limit = setInterval(() => second.tick(performance.now()), 50)
    await ended
    clearInterval(limit)
    assert.equal(last(seen), 'transfer.done')
    assert.deepEqual(origin.requestsFor('/file').map(({ connection }) => connection), [0, 1])
  } finally {
    connections.close()
    folders.close()
    await origin.close()
    rmSync(folder, { recursive: true })
  }
})
