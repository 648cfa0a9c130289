import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Daemon, roomForJobs, until } from './support/daemon.ts'
import { Program, refuse, settledJob, silence, startJob } from './support/program.ts'
import { openService } from './support/service.ts'

const { daemon, origin, program } = await openService(roomForJobs + '[callbacks]\nretrySeconds = 0.02\nretryMaximumSeconds = 0.1\n')
const threeFiles = { urls: ['a', 'b', 'c'].map((name) => `${origin.url('/file')}?${name}`), folder: daemon.files, events: ['transferred', 'error', 'file-transferred'] as const }
const oneFile = { urls: [origin.url('/file')], folder: daemon.files }

test('the files of a job come before its transferred, one after another, with its sequence rising', async () => {
  const one = program()
  await one.register({ application: 'order' })
  const jobId = await startJob(one, { ...threeFiles, application: 'order' })
  await one.toldOf(4)
  assert.deepEqual(one.kinds(jobId), ['fileTransferred', 'fileTransferred', 'fileTransferred', 'jobTransferred'])
  const sequences = one.told.map(({ sequence }) => sequence)
  assert.deepEqual(sequences, [...new Set(sequences)].sort((a, b) => a - b))
  assert.deepEqual(one.told.slice(0, 3).map(({ file }) => file?.index).sort(), [0, 1, 2])
})

test('what comes after a file waits until that file is acknowledged, and is told again until it is', async () => {
  const one = program()
  const failures = new Map<string, number>()
  one.answer = ({ deliveryId }) => {
    const failed = failures.get(deliveryId) ?? 0
    failures.set(deliveryId, failed + 1)
    if (failed < 3) throw new Error('not yet')
    return null
  }
  const jobId = await settledJob(one, threeFiles)
  assert.equal((await one.register({ jobIds: [jobId] })).replayed, 4)
  await one.toldOf(16)
  assert.deepEqual(one.told.map(({ attempt }) => attempt), [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4])
  const sequences = one.told.map(({ sequence }) => sequence)
  assert.deepEqual(sequences, [...sequences].sort((a, b) => a - b))
  assert.equal(new Set(one.told.map(({ deliveryId }) => deliveryId)).size, 4)
})

test('a file that is never acknowledged holds the transferred back, until nobody listens for files', async () => {
  const [files, states] = [program(), program()]
  files.answer = refuse
  const jobId = await settledJob(files, threeFiles)
  await files.register({ jobIds: [jobId], events: ['file-transferred'] })
  await states.register({ jobIds: [jobId], events: ['transferred'] })
  await files.toldOf(4)
  assert.deepEqual(states.told, [])
  assert.equal(new Set(files.told.map(({ deliveryId }) => deliveryId)).size, 1)
  files.close()
  await states.toldOf(1)
  assert.deepEqual(states.kinds(), ['jobTransferred'])
})

test('an error that is not acknowledged holds nothing back', async () => {
  const one = program()
  one.answer = ({ method }) => (method === 'callback.jobError' ? refuse() : {})
  const jobId = await settledJob(one, { urls: [origin.url('/missing')], folder: daemon.files })
  await one.register({ jobIds: [jobId] })
  await one.toldOf(2)
  await one.call('file.update', { jobId, fileIndex: 0, set: { remoteName: origin.url('/file') } })
  await one.call('job.resume', { jobId })
  await until(() => one.kinds(jobId).includes('jobTransferred'), 'the transferred')
  assert.equal(one.kinds(jobId)[0], 'jobError')
})

test('an answer that is an error makes the same delivery come again, any result ends it', async () => {
  const one = program()
  let calls = 0
  one.answer = () => (++calls < 4 ? refuse() : [false, null, 'whatever'])
  const jobId = await settledJob(one, oneFile)
  await one.register({ jobIds: [jobId] })
  await one.toldOf(4)
  assert.deepEqual(one.told.map(({ attempt }) => attempt), [1, 2, 3, 4])
  assert.equal(new Set(one.told.map(({ deliveryId }) => deliveryId)).size, 1)
  const other = await settledJob(one, oneFile)
  await one.register({ jobIds: [other] })
  await one.toldOf(5)
  assert.equal(one.told[4]?.job.id, other)
})

test('three hundred jobs are each told of in order, at one endpoint', async () => {
  const one = program()
  await one.register({ application: 'many' })
  const ids = await Promise.all(Array.from({ length: 300 }, () => startJob(one, { ...threeFiles, urls: threeFiles.urls.slice(0, 2), application: 'many' })))
  await one.toldOf(900, 60_000)
  for (const id of ids) {
    assert.deepEqual(one.kinds(id), ['fileTransferred', 'fileTransferred', 'jobTransferred'])
    const sequences = one.told.filter(({ job }) => job.id === id).map(({ sequence }) => sequence)
    assert.deepEqual(sequences, [...sequences].sort((a, b) => a - b))
  }
  assert.equal(new Set(one.told.map(({ deliveryId }) => deliveryId)).size, 900)
  await Promise.all(ids.map((jobId) => one.call('job.cancel', { jobId })))
})

test('a program may call back from inside a callback, and complete the job there', async () => {
  const one = program()
  one.answer = async ({ job, method }) => {
    await one.call('job.get', { jobId: job.id })
    if (method === 'callback.jobTransferred') await one.call('job.complete', { jobId: job.id })
  }
  await one.register({ application: 'inside' })
  const ids = await Promise.all([1, 2, 3, 4, 5, 6].map(() => startJob(one, { ...threeFiles, application: 'inside' })))
  for (const jobId of ids) {
    const { job } = await one.call('job.wait', { jobId, states: ['acknowledged'], timeoutSeconds: 30 })
    assert.equal(job.state, 'acknowledged')
  }
  assert.equal(one.told.length, ids.length * 4)
})

test('a file that the program finds to be invalid puts the job into error', async () => {
  const one = program()
  let isRejected = false
  one.answer = async ({ method, job, file }) => {
    if (method !== 'callback.fileTransferred' || isRejected) return
    isRejected = true
    await one.call('file.update', { jobId: job.id, fileIndex: file?.index ?? 0, set: { validation: 'invalid' } })
  }
  await one.register({ application: 'judged' })
  const jobId = await startJob(one, { ...oneFile, events: ['transferred', 'error', 'file-transferred'], application: 'judged' })
  await until(() => one.kinds(jobId).includes('jobError'), 'the error')
  const told = one.told.find(({ method }) => method === 'callback.jobError')
  assert.equal(told?.error?.code, 'validation-failed')
  await one.call('job.resume', { jobId })
  await until(() => one.told.at(-1)?.method === 'callback.jobTransferred' && one.told.at(-1)?.job.state === 'transferred', 'the transferred')
  assert.equal(one.kinds(jobId).filter((kind) => kind === 'fileTransferred').length, 2)
})

test('modification comes at most so often, with the newest job inside, and not for the step into transferred', async () => {
  const one = program()
  await one.register({ application: 'modified' })
  const { job } = await one.call('job.create', {
    displayName: '0', application: 'modified', options: { notify: { events: ['transferred', 'modification'], minimumIntervalMs: 200 } },
    files: [{ remoteName: origin.url('/file'), localName: `${daemon.files}/modified` }],
  })
  for (let number = 1; number <= 50; number++) await one.call('job.update', { jobId: job.id, set: { displayName: String(number) } })
  await until(() => one.told.at(-1)?.job.displayName === '50', 'the newest job')
  assert.ok(one.told.length < 25, `${one.told.length} calls for 50 changes`)
  await one.call('job.resume', { jobId: job.id })
  await until(() => one.kinds().includes('jobTransferred'), 'the transferred')
  const numbers = one.told.map(({ sequence }) => sequence)
  assert.equal(new Set(numbers).size, numbers.length)
})

test('a modification that is not acknowledged comes again, and events overtake it', async () => {
  const one = program()
  const jobId = await settledJob(one, oneFile)
  await one.call('job.update', { jobId, set: { options: { notify: { events: ['transferred', 'modification'], minimumIntervalMs: 0 } } } })
  one.answer = ({ attempt, method }) => (method === 'callback.jobModification' && attempt < 3 ? refuse() : {})
  await one.register({ jobIds: [jobId] })
  await one.toldOf(1)
  await one.call('job.update', { jobId, set: { displayName: 'again' } })
  await one.toldOf(4)
  assert.deepEqual(one.kinds(jobId), ['jobTransferred', 'jobModification', 'jobModification', 'jobModification'])
  assert.deepEqual(one.told.map(({ attempt }) => attempt), [1, 1, 2, 3])
  assert.equal(new Set(one.told.slice(1).map(({ deliveryId }) => deliveryId)).size, 1)
})

test('a program that reads nothing and goes keeps nothing from the one that registered after it', async () => {
  const [deaf, other] = [program(), program()]
  const ids = await Promise.all(Array.from({ length: 20 }, () => settledJob(deaf, { ...threeFiles, application: 'deaf' })))
  deaf.answer = silence
  await deaf.register({ application: 'deaf' })
  deaf.pause()
  await Promise.all(ids.map((jobId) => other.call('job.get', { jobId })))
  assert.equal((await other.register({ application: 'deaf' })).replayed, ids.length * 4)
  deaf.close()
  await other.toldOf(ids.length * 4)
  await Promise.all(ids.map((jobId) => other.call('job.cancel', { jobId })))
})

test('silence is an answer that does not come: the same delivery is called again', async () => {
  const quiet = await Daemon.start({ config: '[callbacks]\nanswerTimeoutSeconds = 0.2\nretrySeconds = 0.02\n' })
  const one = Program.open(quiet.socket)
  try {
    one.answer = ({ attempt }) => (attempt < 3 ? silence() : {})
    const jobId = await settledJob(one, { ...oneFile, folder: quiet.files })
    await one.register({ jobIds: [jobId] })
    await one.toldOf(3)
    assert.deepEqual(one.told.map(({ attempt }) => attempt), [1, 2, 3])
  } finally {
    one.close()
    await quiet.close()
  }
})

test('the ranges of a file are told before the file', async () => {
  const one = program()
  await one.register({ application: 'ranges' })
  origin.route('/ranged', { body: Buffer.from('0123456789') })
  const ranges = [{ offset: 6, length: 2 }, { offset: 0, length: 3 }]
  await one.call('job.create', {
    displayName: 'ranges', application: 'ranges', resume: true,
    files: [{ remoteName: origin.url('/ranged'), localName: `${daemon.files}/ranged`, ranges }],
    options: { notify: { events: ['file-ranges-transferred', 'file-transferred', 'transferred'] } },
  })
  await one.toldOf(3)
  assert.deepEqual(one.kinds(), ['fileRangesTransferred', 'fileTransferred', 'jobTransferred'])
  assert.deepEqual(one.told[0]?.ranges, ranges)
})

test('a job that is transferred already tells of it when it is asked to raise that kind', async () => {
  const one = program()
  const jobId = await settledJob(one, { ...oneFile, events: [] })
  await one.register({ jobIds: [jobId] })
  await one.call('job.update', { jobId, set: { options: { notify: { events: ['transferred'] } } } })
  await one.toldOf(1)
  assert.deepEqual(one.kinds(jobId), ['jobTransferred'])
})
