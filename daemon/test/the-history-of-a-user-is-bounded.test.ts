// Whatever one user does, what the queue's folder keeps of his ended jobs and of the events of a job has an end; nobody
// else's is touched, and no event that must still be told.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import type { Log } from '../log.ts'
import { LevelStore } from '../broker/store/level-store.ts'
import { within } from '../broker/store/keys.ts'
import { alice, bob, Daemon, needsRoot, until, type DaemonOptions } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'
import { Program, settledJob } from './support/program.ts'
import type { RawClient } from './support/raw-client.ts'

const origin = await startOrigin()
origin.route('/missing', { status: 404 })
origin.route('/slow', { body: Buffer.alloc(10_000_000, 1), pace: { bytes: 100, everyMs: 50 } })
after(() => origin.close())

const keeping = (jobs: number): DaemonOptions => ({ config: `[jobs]\nhistoryJobsPerUser = ${jobs}\n` })
const ended = async (client: RawClient): Promise<string[]> => (await client.call('job.list', { states: ['cancelled', 'acknowledged'] })).jobs.map(({ displayName }) => displayName)

async function daemonFor(t: TestContext, options: DaemonOptions): Promise<Daemon> {
  const daemon = await Daemon.start(options)
  t.after(() => daemon.close())
  return daemon
}

/** Makes jobs and gives each up, their numbers being names and tokens; answers their ids. */
async function makeAndCancel(client: RawClient, from: number, to: number): Promise<string[]> {
  const ids: string[] = []
  for (let number = from; number <= to; number++) {
    const { job } = await client.call('job.create', { displayName: String(number), clientToken: `token ${number}` })
    await client.call('job.cancel', { jobId: job.id })
    ids.push(job.id)
  }
  return ids
}

async function untilKept(client: RawClient, names: readonly string[]): Promise<void> {
  await until(async () => (await ended(client)).length === names.length, `${names.length} ended jobs`)
  assert.deepEqual(await ended(client), names)
}

/** The keys in the queue's folder, which no daemon may use now. */
async function keys(daemon: Daemon): Promise<string[]> {
  const quiet = (): void => {}
  const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => log }
  const store = await LevelStore.open(join(daemon.state, 'queue'), log)
  const found: string[] = []
  for await (const [key] of store.read({ gte: '', lt: within('~').lt })) found.push(key)
  await store.close()
  return found
}

const ofKind = (found: readonly string[], kind: string): string[] => found.filter((key) => key.startsWith(`${kind}/`))

test('of the jobs of a user that ended the last are kept, and of the others nothing is left, over a restart too', async (t) => {
  const daemon = await daemonFor(t, keeping(3))
  let client = await daemon.client()
  const ids = await makeAndCancel(client, 1, 8)
  await untilKept(client, ['6', '7', '8'])
  assert.equal((await client.refusal('job.get', { jobId: ids[4] })).code, 1001)
  assert.equal((await client.call('job.get', { jobId: ids[5] })).job.state, 'cancelled')

  // What happens from now on is forgotten within moments, not at the next look at everything.
  await makeAndCancel(client, 9, 10)
  await untilKept(client, ['8', '9', '10'])
  client = await daemon.restart()
  await makeAndCancel(client, 11, 11)
  await untilKept(client, ['9', '10', '11'])

  // The token of a job that was forgotten makes another one, as long as it is kept it does not.
  assert.equal((await client.call('job.create', { displayName: 'x', clientToken: 'token 11' })).created, false)
  const { job, created } = await client.call('job.create', { displayName: '12', clientToken: 'token 1' })
  assert.equal(created, true)
  assert.equal((await client.call('job.create', { displayName: 'x', clientToken: 'token 1' })).job.id, job.id)

  await daemon.stop()
  const found = await keys(daemon)
  assert.deepEqual(['h', 'x', 't', 'o'].map((kind) => ofKind(found, kind).length), [3, 3, 4, 0])
  // Of each that ended: created, the state, ended; of the one that did not: created.
  assert.deepEqual(['e', 'i'].map((kind) => ofKind(found, kind).length), [10, 10])
})

test('a queue that has more than it may is brought down, at a start and when the configuration is read again', async (t) => {
  const daemon = await daemonFor(t, keeping(1000))
  let client = await daemon.client()
  await makeAndCancel(client, 1, 8)
  daemon.configure('[jobs]\nhistoryJobsPerUser = 5\n')
  client = await daemon.restart()
  await untilKept(client, ['4', '5', '6', '7', '8'])
  daemon.configure('[jobs]\nhistoryJobsPerUser = 2\n')
  daemon.signal('SIGHUP')
  await untilKept(client, ['7', '8'])
})

test('one user forgets nothing of another', { skip: needsRoot }, async (t) => {
  const daemon = await daemonFor(t, { mode: 'system', ...keeping(3) })
  const [his, hers] = [await daemon.client(bob), await daemon.client(alice)]
  await makeAndCancel(hers, 1, 3)
  await makeAndCancel(his, 1, 20)
  await untilKept(his, ['18', '19', '20'])
  assert.deepEqual(await ended(hers), ['1', '2', '3'])
})

test('many calls at once, from many connections, leave as many as may be', async (t) => {
  const daemon = await daemonFor(t, keeping(20))
  const clients = await Promise.all(Array.from({ length: 8 }, () => daemon.client()))
  await Promise.all(clients.map((client, at) => makeAndCancel(client, at * 100, at * 100 + 99)))
  const [client] = clients as [RawClient]
  await until(async () => (await ended(client)).length === 20, '20 ended jobs')
  await daemon.stop()
  const found = await keys(daemon)
  assert.deepEqual(['h', 'x', 'e', 'i'].map((kind) => ofKind(found, kind).length), [20, 20, 60, 60])
})

test('the events of a live job have an end, and what nobody acknowledged stays', async (t) => {
  const daemon = await daemonFor(t, { config: '[transfer]\nbackgroundSlots = 1\n' })
  const one = Program.open(daemon.socket)
  t.after(() => one.close())
  const { cursor } = await one.call('events.watch', {})
  const jobId = await settledJob(one, { urls: [origin.url('/missing')], folder: daemon.files })
  // Another one has the slot, so that this one moves only between two states.
  const { job: slow } = await one.call('job.create', {
    displayName: 'slow', priority: 'high', resume: true, files: [{ remoteName: origin.url('/slow'), localName: join(daemon.files, 'slow') }],
  })
  await one.call('job.wait', { jobId: slow.id, states: ['transferring'] })
  const loop = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) {
      await one.call('job.resume', { jobId })
      await one.call('job.suspend', { jobId })
    }
  }
  const stored = async (): Promise<string[]> => {
    const last = one.shown.findLast(({ kind, job }) => kind === 'state' && job?.id === jobId)?.cursor
    const watching = Program.open(daemon.socket)
    await watching.call('events.watch', { after: cursor, jobIds: [jobId] })
    await until(() => watching.shown.some((event) => event.cursor === last), 'the last event')
    watching.close()
    return watching.shown.map(({ kind }) => kind)
  }
  await loop(800)
  await until(async () => (await stored()).length <= 1000, 'that the old ones are forgotten')
  const kinds = await stored()
  assert.ok(kinds.length >= 500, `${kinds.length} events`)
  // The oldest of them, since its neighbours are gone.
  assert.deepEqual(kinds.slice(0, 2), ['error', 'state'])

  await daemon.kill9()
  await daemon.start()
  const two = Program.open(daemon.socket)
  t.after(() => two.close())
  assert.equal((await two.register({ jobIds: [jobId] })).replayed, 1)
  await two.toldOf(1)
  assert.deepEqual(two.told.map(({ method, error }) => [method, error?.httpStatus]), [['callback.jobError', 404]])
})
