// Rule 5 in real time: the shortest delay is 5 seconds, so these tests wait for it, side by side.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
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
const body = Buffer.alloc(4000, 'x')

async function start(path: string, script: Script | ((request: { count: number }) => Script), options: object): Promise<{ jobId: string; askedAt: number[] }> {
  const askedAt: number[] = []
  origin.route(path, (request) => {
    askedAt.push(performance.now())
    return typeof script === 'function' ? script(request) : script
  })
  const files = [{ remoteName: origin.url(path), localName: join(daemon.files, path.slice(1)) }]
  const { job } = await client.call('job.create', { displayName: path, resume: true, files, options: { minimumRetryDelaySeconds: 5, ...options } })
  return { jobId: job.id, askedAt }
}

async function reached(jobId: string, ...states: string[]): Promise<Job> {
  return (await client.call('job.wait', { jobId, states, timeoutSeconds: 25 })).job
}

describe('time', { concurrency: true }, () => {
  test('the next attempt comes after the minimum retry delay and succeeds by itself', async () => {
    const { jobId, askedAt } = await start('/twice', ({ count }) => (count === 0 ? { status: 503 } : { body }), {})
    const waiting = await reached(jobId, 'transient-error')
    assert.equal(waiting.waiting?.reason, 'retry-delay')
    assert.equal(waiting.waiting?.until, waiting.error?.retryAt)
    const done = await reached(jobId, 'transferred')
    assert.ok((askedAt[1] ?? 0) - (askedAt[0] ?? 0) >= 5000)
    assert.deepEqual([done.error, done.errorCount, askedAt.length], [null, 1, 2])
  })

  test('a longer Retry-After is waited for', async () => {
    const { jobId, askedAt } = await start('/later', ({ count }) => (count === 0 ? { status: 429, headers: { 'Retry-After': '8' } } : { body }), {})
    await reached(jobId, 'transferred')
    assert.ok((askedAt[1] ?? 0) - (askedAt[0] ?? 0) >= 8000)
  })

  test('a server that makes the file start over each time brings no progress, however much it sends', async () => {
    const again: Script = { body, etag: null, cutAfter: 2000, cut: 'reset' }
    const { jobId, askedAt } = await start('/again', again, { noProgressTimeoutSeconds: 6 })
    const ended = await reached(jobId, 'error', 'transferred')
    assert.deepEqual([ended.error?.code, askedAt.length > 1], ['no-progress', true])
  })

  test('job.resume tries at once, and the old delay triggers nothing more', async () => {
    const { jobId, askedAt } = await start('/now', { status: 503 }, {})
    await reached(jobId, 'transient-error')
    await client.call('job.resume', { jobId })
    await origin.asked('/now', 2)
    await reached(jobId, 'transient-error')
    await client.call('job.suspend', { jobId })
    assert.ok((askedAt[1] ?? 0) - (askedAt[0] ?? 0) < 5000)
    assert.equal((await client.call('job.wait', { jobId, states: ['connecting', 'queued'], timeoutSeconds: 6 })).timedOut, true)
    assert.equal(askedAt.length, 2)
  })

  test('without a new byte for the no-progress timeout the error becomes fatal', async () => {
    const { jobId } = await start('/never', { status: 503 }, { noProgressTimeoutSeconds: 7 })
    const job = await reached(jobId, 'error')
    assert.deepEqual([job.error?.code, job.error?.context, job.error?.fatal, job.error?.retryAt], ['no-progress', 'queue-manager', true, null])
  })

  test('new bytes begin the no-progress timeout anew', async () => {
    const { jobId } = await start('/crumbs', { body: body.subarray(0, 3000), cutAfter: 1000, cut: 'reset' }, { noProgressTimeoutSeconds: 6 })
    // Three attempts at least, five seconds apart: longer in all than the timeout.
    const job = await reached(jobId, 'transferred', 'error')
    assert.equal(job.state, 'transferred')
    assert.equal(job.errorCount, 2)
  })

  test('the maximum download time ends a job that moves', async () => {
    const { jobId } = await start('/endless', { body, cutAfter: 100, cut: 'stall' }, { maximumDownloadTimeSeconds: 2 })
    const job = await reached(jobId, 'error')
    assert.deepEqual([job.error?.code, job.error?.context], ['maximum-download-time', 'queue-manager'])
  })

  test('waiting for a retry does not count as download time', async () => {
    const { jobId } = await start('/patient', ({ count }) => (count === 0 ? { status: 503, headers: { 'Retry-After': '11' } } : { body }), { maximumDownloadTimeSeconds: 10 })
    assert.equal((await reached(jobId, 'transferred', 'error')).state, 'transferred')
  })
})
