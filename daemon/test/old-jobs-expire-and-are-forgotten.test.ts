// Rule 7 and the history, by starting the daemon again on a later day. Across a restart the recorded wall time counts.
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Daemon, until } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'

// The library itself: the program of that name would stand between us and the daemon.
const library = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`).find((path) => existsSync(path))
const skip = library ? false : 'needs libfaketime'
const later = (days: number): object => ({ environment: { LD_PRELOAD: library ?? '', FAKETIME: `+${days}d`, FAKETIME_DONT_FAKE_MONOTONIC: '1' } })

test('a job that nobody touched for 90 days is cancelled, its files are removed, and it is history for 30 days', { skip }, async (t) => {
  const origin = await startOrigin()
  const daemon = await Daemon.start()
  t.after(async () => {
    await daemon.close()
    await origin.close()
  })
  origin.route('/good', { body: Buffer.from('good') })
  let client = await daemon.client()
  const files = [{ remoteName: origin.url('/good'), localName: join(daemon.files, 'a') }]
  const { job } = await client.call('job.create', { displayName: 'forgotten', resume: true, files, clientToken: 'mine' })
  await client.call('job.wait', { jobId: job.id })
  assert.equal(readdirSync(daemon.files).length, 1)

  await daemon.stop()
  await daemon.start(later(89))
  client = await daemon.client()
  assert.equal((await client.call('job.get', { jobId: job.id })).job.state, 'transferred')

  await daemon.stop()
  await daemon.start(later(91))
  client = await daemon.client()
  const { job: expired } = await client.call('job.wait', { jobId: job.id, states: ['cancelled'] })
  assert.equal(expired.state, 'cancelled')
  await until(() => readdirSync(daemon.files).length === 0, 'its files are removed')
  assert.deepEqual((await client.call('job.list', {})).jobs, [])

  await daemon.stop()
  await daemon.start(later(120))
  client = await daemon.client()
  assert.equal((await client.call('job.get', { jobId: job.id })).job.state, 'cancelled')
  assert.equal((await client.call('job.create', { displayName: 'x', clientToken: 'mine' })).created, false)

  await daemon.stop()
  await daemon.start(later(122))
  client = await daemon.client()
  await until(async () => (await client.ask('job.get', { jobId: job.id })).error?.code === 1001, 'it is forgotten', 90_000)
  assert.deepEqual((await client.call('job.list', { states: ['cancelled', 'acknowledged'] })).jobs, [])
  assert.equal((await client.call('job.create', { displayName: 'x', clientToken: 'mine' })).created, true)
})

test('a clock that was set back makes no wait longer than it could have been', { skip }, async (t) => {
  const origin = await startOrigin()
  const daemon = await Daemon.start(later(400))
  t.after(async () => {
    await daemon.close()
    await origin.close()
  })
  origin.route('/later', ({ count }) => (count === 0 ? { status: 503 } : { body: Buffer.from('x') }))
  const files = [{ remoteName: origin.url('/later'), localName: join(daemon.files, 'a') }]
  const client = await daemon.client()
  const { job } = await client.call('job.create', { displayName: 'x', resume: true, files, options: { minimumRetryDelaySeconds: 5 } })
  await client.call('job.wait', { jobId: job.id, states: ['transient-error'] })
  // In order: the library leaves its shared memory behind where its process is killed.
  await daemon.stop()
  await daemon.start({ environment: {} })
  const after = await daemon.client()
  assert.equal((await after.call('job.wait', { jobId: job.id, timeoutSeconds: 20 })).job.state, 'transferred')
})
