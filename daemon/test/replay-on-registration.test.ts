import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refuse, settledJob, silence, type Program } from './support/program.ts'
import { openService } from './support/service.ts'

const { daemon, origin, program } = await openService('[callbacks]\nretrySeconds = 0.05\nretryMaximumSeconds = 0.2\n')
const transferredJob = (of: Program): Promise<string> => settledJob(of, { urls: [origin.url('/file')], folder: daemon.files })
const failedJob = (of: Program): Promise<string> => settledJob(of, { urls: [origin.url('/missing')], folder: daemon.files })

test('a program that registers after the event is told of it', async () => {
  const one = program()
  const transferred = await transferredJob(one)
  const failed = await failedJob(one)
  const { registrationId, replayed } = await one.register({ jobIds: [transferred, failed] })
  assert.equal(replayed, 2)
  await one.toldOf(2)
  assert.deepEqual(one.told.map(({ method, job, attempt }) => [method, job.id, attempt]), [
    ['callback.jobTransferred', transferred, 1], ['callback.jobError', failed, 1],
  ])
  assert.ok(one.told.every((told) => told.registrationId === registrationId))
  assert.equal(one.told[0]?.job.state, 'transferred')
  assert.equal(one.told[1]?.error?.httpStatus, 404)
})

test('an event that was acknowledged is told again to a new registration, with the same delivery and sequence', async () => {
  const one = program()
  const jobId = await transferredJob(one)
  await one.register({ jobIds: [jobId] })
  await one.toldOf(1)
  one.close()
  const other = program()
  assert.equal((await other.register({ jobIds: [jobId] })).replayed, 1)
  await other.toldOf(1)
  assert.equal(other.told[0]?.deliveryId, one.told[0]?.deliveryId)
  assert.equal(other.told[0]?.sequence, one.told[0]?.sequence)
})

test('a new registration is told at once although a live endpoint sits on its call', async () => {
  const one = program()
  const jobId = await transferredJob(one)
  one.answer = silence
  await one.register({ jobIds: [jobId] })
  await one.toldOf(1)
  const other = program()
  assert.equal((await other.register({ jobIds: [jobId] })).replayed, 1)
  await other.toldOf(1)
  assert.equal(other.told[0]?.deliveryId, one.told[0]?.deliveryId)
})

test('once a new registration has the job, the one before is not called again', async () => {
  const one = program()
  const jobId = await transferredJob(one)
  one.answer = refuse
  await one.register({ all: true })
  await one.toldOf(2)
  const other = program()
  other.answer = refuse
  await other.register({ jobIds: [jobId] })
  await other.toldOf(1)
  const before = one.told.filter(({ job }) => job.id === jobId).length
  await other.toldOf(5)
  assert.equal(one.told.filter(({ job }) => job.id === jobId).length, before)
})

test('an explicit job beats an application, which beats all, whoever came last', async () => {
  const [all, application, named] = [program(), program(), program()]
  const { job } = await named.call('job.create', { displayName: 'p', application: 'precedence', files: [{ remoteName: origin.url('/file'), localName: `${daemon.files}/precedence` }] })
  await named.register({ jobIds: [job.id] })
  await application.register({ application: 'precedence' })
  await all.register({ all: true })
  await named.call('job.resume', { jobId: job.id })
  await named.toldOf(1)
  await named.call('job.wait', { jobId: job.id, states: ['transferred'] })
  const others = (): number => [...application.told, ...all.told].filter((told) => told.job.id === job.id).length
  assert.equal(others(), 0)
  named.close()
  await named.closed()
  // What was acknowledged is not told to those who were there before.
  await application.call('system.ping', {})
  assert.equal(others(), 0)
})

test('what a program answered before it left is not told to the next', async () => {
  const next = program()
  await next.register({ application: 'left' })
  for (let round = 0; round < 10; round++) {
    const leaving = program()
    const { job } = await leaving.call('job.create', { displayName: 'l', application: 'left', files: [{ remoteName: origin.url('/file'), localName: `${daemon.files}/left-${round}` }] })
    await leaving.register({ jobIds: [job.id] })
    leaving.answer = () => {
      setImmediate(() => leaving.leave())
      return {}
    }
    await leaving.call('job.resume', { jobId: job.id })
    await leaving.closed()
    await next.call('job.wait', { jobId: job.id, states: ['transferred'] })
  }
  // Whatever is told of it is told by the time that a later one is.
  await settledJob(next, { urls: [origin.url('/file')], folder: daemon.files, application: 'left' })
  await next.toldOf(1)
  assert.equal(next.told.length, 1)
})

test('a replay over a live endpoint tells the same program again', async () => {
  const one = program()
  const jobId = await transferredJob(one)
  await one.register({ jobIds: [jobId] })
  await one.toldOf(1)
  assert.equal((await one.register({ jobIds: [jobId] })).replayed, 1)
  await one.toldOf(2)
  assert.equal(one.told[0]?.deliveryId, one.told[1]?.deliveryId)
  assert.notEqual(one.told[0]?.registrationId, one.told[1]?.registrationId)
})

test('nothing is replayed of a job that was completed or cancelled', async () => {
  const one = program()
  const completed = await transferredJob(one)
  const cancelled = await failedJob(one)
  await one.call('job.complete', { jobId: completed })
  await one.call('job.cancel', { jobId: cancelled })
  assert.equal((await one.register({ jobIds: [completed, cancelled] })).replayed, 0)
  const before = one.told.length
  const next = await transferredJob(one)
  await one.register({ jobIds: [next] })
  await one.toldOf(before + 1)
  assert.deepEqual(one.told.map(({ job }) => job.id), [next])
})

test('only the kinds that were asked for are told and replayed', async () => {
  const one = program()
  const jobId = await settledJob(one, { urls: [origin.url('/file')], folder: daemon.files, events: ['transferred', 'file-transferred'] })
  one.answer = silence
  assert.equal((await one.register({ jobIds: [jobId], events: ['error'] })).replayed, 0)
  assert.equal((await one.register({ jobIds: [jobId], events: ['file-transferred'] })).replayed, 1)
  assert.equal((await one.register({ jobIds: [jobId] })).replayed, 2)
})

test('an error that nobody acknowledged is told also after the job was resumed', async () => {
  const one = program()
  const jobId = await failedJob(one)
  await one.call('file.update', { jobId, fileIndex: 0, set: { remoteName: origin.url('/file') } })
  await one.call('job.resume', { jobId })
  await one.call('job.wait', { jobId, states: ['transferred'] })
  assert.equal((await one.register({ jobIds: [jobId] })).replayed, 2)
  await one.toldOf(2)
  assert.deepEqual(one.kinds(), ['jobError', 'jobTransferred'])
  assert.equal(one.told[0]?.error?.httpStatus, 404)
  assert.equal(one.told[0]?.job.state, 'transferred')
})

test('a registration of an unknown job is refused', async () => {
  await assert.rejects(program().register({ jobIds: ['00000000-0000-4000-8000-000000000000'] }), { kind: 'job-not-found' })
})

test('an unregistered endpoint is not called, and only its own user can unregister it', async () => {
  const one = program()
  const jobId = await transferredJob(one)
  const { registrationId } = await one.register({ application: 'nobody' })
  await one.call('callback.unregister', { registrationId })
  await assert.rejects(one.call('callback.unregister', { registrationId }), { kind: 'registration-not-found' })
  assert.deepEqual(one.told, [])
  assert.equal((await one.register({ jobIds: [jobId] })).replayed, 1)
})
