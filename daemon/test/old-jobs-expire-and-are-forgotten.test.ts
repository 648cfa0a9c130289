// Jobs that nobody touches, and the history, with a clock that runs fast; and that a clock which jumps makes nothing old.
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Daemon, until } from './support/daemon.ts'
import { startOrigin, type Origin } from './support/origin.ts'
import { Program } from './support/program.ts'

// The library itself: the program of that name would stand between us and the daemon.
const library = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`).find((path) => existsSync(path))
const skip = library ? false : 'needs libfaketime'
const later = (days: number): object => ({ environment: { LD_PRELOAD: library ?? '', FAKETIME: `+${days}d`, FAKETIME_DONT_FAKE_MONOTONIC: '1' } })
/** All of its clocks run so: one second is so many days. */
const fast = (days: number): object => ({ environment: { LD_PRELOAD: library ?? '', FAKETIME: `+0 x${days * 86_400}` } })

async function begin(t: TestContext, config: string): Promise<{ readonly daemon: Daemon; readonly origin: Origin }> {
  const origin = await startOrigin()
  const daemon = await Daemon.start({ config, flags: ['--log-level', 'debug'] })
  t.after(async () => {
    await daemon.close()
    await origin.close()
  })
  origin.route('/good', { body: Buffer.from('good') })
  return { daemon, origin }
}

test('a finished download that nobody completes is told once more, then cancelled, then forgotten', { skip }, async (t) => {
  const { daemon, origin } = await begin(t, '[jobs]\ninactivityDays = 20\nhistoryDays = 10\n')
  const client = await daemon.client()
  const files = [{ remoteName: origin.url('/good'), localName: join(daemon.files, 'a') }]
  const { job } = await client.call('job.create', { displayName: 'forgotten', resume: true, files, clientToken: 'mine' })
  await client.call('job.wait', { jobId: job.id })
  assert.equal(readdirSync(daemon.files).length, 1)

  await daemon.stop()
  await daemon.start(fast(4))
  const program = Program.open(daemon.socket)
  t.after(() => program.close())
  await program.call('events.watch', { jobIds: [job.id] })
  await until(() => program.shown.some(({ kind }) => kind === 'ended'), 'it is cancelled')
  const told = program.shown.filter(({ kind }) => kind === 'transferred' || kind === 'ended')
  assert.deepEqual(told.map(({ kind }) => kind), ['transferred', 'ended'])
  const day = 86_400_000
  const between = (told[1]?.at ?? 0) - (told[0]?.at ?? 0)
  assert.ok(between >= 7 * day && between < 9 * day, `${between / day} days`)

  // A worker cannot start within its second where that is a moment.
  await daemon.stop()
  await daemon.start({ environment: {} })
  await until(() => readdirSync(daemon.files).length === 0, 'its files are removed')
  const slow = await daemon.client()
  assert.equal((await slow.call('job.get', { jobId: job.id })).job.state, 'cancelled')
  assert.equal((await slow.call('job.create', { displayName: 'x', clientToken: 'mine' })).created, false)

  await daemon.stop()
  await daemon.start(fast(4))
  const asking = await daemon.client()
  await until(async () => (await asking.ask('job.get', { jobId: job.id })).error?.code === 1001, 'it is forgotten')
  assert.deepEqual((await asking.call('job.list', { states: ['cancelled', 'acknowledged'] })).jobs, [])
  assert.equal((await asking.call('job.create', { displayName: 'x', clientToken: 'mine' })).created, true)
})

test('a clock that is ahead at one start cancels, forgets and fails nothing', { skip }, async (t) => {
  const { daemon, origin } = await begin(t, '')
  origin.route('/half', { status: 503 })
  let client = await daemon.client()
  const create = async (name: string, options: object = {}): Promise<string> => {
    const files = [{ remoteName: origin.url(`/${name}`), localName: join(daemon.files, name) }]
    return (await client.call('job.create', { displayName: name, resume: true, files, options })).job.id
  }
  const [good, half] = [await create('good'), await create('half')]
  await client.call('job.wait', { jobId: good })
  await client.call('job.wait', { jobId: half, states: ['transient-error'] })
  const { job: over } = await client.call('job.create', { displayName: 'over' })
  await client.call('job.cancel', { jobId: over.id })

  await daemon.stop()
  await daemon.start(later(100))
  client = await daemon.client()
  // The delay of its retry is over by this clock, and it fails again: that is no reason to give it up.
  await origin.asked('/half', 2)
  await client.call('job.wait', { jobId: half, states: ['transient-error'], timeoutSeconds: 10 })
  // What the start has to forget is forgotten after five seconds.
  await until(() => daemon.log().some(({ msg }) => msg === 'the history was looked through'), 'the history is looked through')
  await daemon.stop()
  await daemon.start({ environment: {} })
  client = await daemon.client()
  const states = await Promise.all([good, half, over.id].map(async (jobId) => (await client.call('job.get', { jobId })).job.state))
  assert.deepEqual(states, ['transferred', 'transient-error', 'cancelled'])
  assert.ok(readdirSync(daemon.files).length > 0)
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
