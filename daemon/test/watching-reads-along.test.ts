import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roomForJobs, until } from './support/daemon.ts'
import { settledJob, startJob, type Program } from './support/program.ts'
import { openService } from './support/service.ts'

const { daemon, origin, program } = await openService(roomForJobs)
origin.route('/slow', { body: Buffer.alloc(40_000, 1), pace: { bytes: 1000, everyMs: 30 } })
const wanted = { urls: [origin.url('/file')], folder: daemon.files }
const kindsOf = (one: Program, jobId: string): string[] => one.shown.filter(({ job }) => job?.id === jobId).map(({ kind }) => kind)
const storedKinds = new Set(['created', 'transferred', 'error', 'file-transferred', 'ended'])

test('a watch shows a job from its creation to its end, its states and its files', async () => {
  const one = program()
  const { watchId } = await one.call('events.watch', { application: 'watched' })
  const jobId = await settledJob(one, { ...wanted, application: 'watched', events: ['transferred', 'file-transferred'] })
  await settledJob(one, wanted)
  await one.call('job.complete', { jobId })
  await until(() => kindsOf(one, jobId).includes('ended'), 'the end')
  assert.ok(one.shown.every((event) => event.watchId === watchId && event.job?.id === jobId))
  assert.equal(kindsOf(one, jobId)[0], 'created')
  assert.deepEqual(kindsOf(one, jobId).filter((kind) => storedKinds.has(kind)), ['created', 'file-transferred', 'transferred', 'ended'])
  assert.deepEqual([...new Set(one.shown.filter(({ kind }) => kind === 'state').map(({ job }) => job?.state))].filter((state) => state !== 'connecting' && state !== 'transferring'), ['queued', 'transferred', 'acknowledged'])
  assert.equal(one.shown.find(({ kind }) => kind === 'file-transferred')?.file?.index, 0)
})

test('progress is shown while bytes move, and takes nothing from an endpoint', async () => {
  const [watching, called] = [program(), program()]
  await watching.call('events.watch', {})
  await called.register({ application: 'moving' })
  const jobId = await settledJob(called, { ...wanted, urls: [origin.url('/slow')], application: 'moving' })
  await called.toldOf(1)
  const progress = watching.shown.filter(({ kind, job }) => kind === 'progress' && job?.id === jobId)
  assert.ok(progress.length > 0)
  const bytes = progress.map(({ job }) => job?.progress.bytesTransferred ?? 0)
  assert.deepEqual(bytes, [...bytes].sort((a, b) => a - b))
})

test('from a cursor on everything that is stored is shown once and in order, over a restart of the daemon, and then what happens', async () => {
  const one = program()
  const { cursor } = await one.call('events.watch', { application: 'cursor' })
  const first = await settledJob(one, { ...wanted, application: 'cursor' })
  await one.call('job.complete', { jobId: first })
  await until(() => kindsOf(one, first).includes('ended'), 'the end')
  const middle = one.shown.at(-1)?.cursor
  await daemon.kill9()
  await daemon.start()
  const two = program()
  const second = await settledJob(two, { ...wanted, application: 'cursor' })

  const [all, rest] = [program(), program()]
  await all.call('events.watch', { application: 'cursor', after: cursor })
  await rest.call('events.watch', { application: 'cursor', ...(middle !== undefined && { after: middle }) })
  const third = await settledJob(two, { ...wanted, application: 'cursor' })
  for (const each of [all, rest]) await until(() => kindsOf(each, third).includes('transferred'), 'what happens')
  const stored = (of: Program): [string | undefined, string][] => of.shown.filter(({ kind }) => storedKinds.has(kind)).map(({ job, kind }) => [job?.id, kind])
  const later: [string, string][] = [[second, 'created'], [second, 'transferred'], [third, 'created'], [third, 'transferred']]
  assert.deepEqual(stored(all), [[first, 'created'], [first, 'transferred'], [first, 'ended'], ...later])
  assert.deepEqual(stored(rest), later)
})

test('a watch that begins while much happens has neither gap nor duplicate', async () => {
  const one = program()
  const { cursor } = await one.call('events.watch', { application: 'busy' })
  const ids = Promise.all(Array.from({ length: 60 }, () => startJob(one, { ...wanted, application: 'busy' })))
  const watching: Program[] = []
  for (let number = 0; number < 8; number++) {
    const another = program()
    watching.push(another)
    await another.call('events.watch', { application: 'busy', after: cursor })
  }
  await ids
  const done = (of: Program): number => of.shown.filter(({ kind }) => kind === 'transferred').length
  for (const each of [one, ...watching]) await until(() => done(each) === 60, 'every job')
  const stored = (of: Program): string[] => of.shown.filter(({ kind }) => storedKinds.has(kind)).map(({ job, kind }) => `${job?.id} ${kind}`)
  for (const each of watching) assert.deepEqual(stored(each), stored(one))
  await Promise.all((await ids).map((jobId) => one.call('job.cancel', { jobId })))
})

test('a reader that does not read loses events, and is told how many when it reads again', async () => {
  const [slow, other] = [program(), program()]
  await slow.call('events.watch', { application: 'lag' })
  const { job } = await other.call('job.create', { displayName: '0', application: 'lag', description: 'x'.repeat(1000) })
  slow.pause()
  for (let number = 1; number <= 1500; number++) await other.call('job.update', { jobId: job.id, set: { displayName: String(number) } })
  slow.resume()
  await until(() => slow.shown.some(({ kind }) => kind === 'lagged'), 'that it lagged')
  const lagged = slow.shown.filter(({ kind }) => kind === 'lagged').reduce((sum, event) => sum + (event.lagged ?? 0), 0)
  assert.equal(lagged + slow.shown.filter(({ kind }) => kind === 'modification').length, 1500)
})

test('unwatching ends it, and a cursor that is none is refused', async () => {
  const one = program()
  const { watchId } = await one.call('events.watch', {})
  await one.call('events.unwatch', { watchId })
  await settledJob(one, wanted)
  assert.deepEqual(one.shown, [])
  await assert.rejects(one.call('events.watch', { after: 'nonsense' }), { kind: 'invalid-params' })
  await assert.rejects(one.call('events.watch', { jobIds: ['00000000-0000-4000-8000-000000000000'] }), { kind: 'job-not-found' })
})
