// `options.completion` "automatic": the files are there as soon as all are here, and the owner is told of it however late he comes.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from './support/daemon.ts'
import { silence, type Program } from './support/program.ts'
import { openService } from './support/service.ts'

const { daemon, origin, program } = await openService('[callbacks]\nretrySeconds = 0.05\nretryMaximumSeconds = 0.2\n')
const body = Buffer.from('the whole file')
origin.route('/body', { body })
let count = 0

function folder(): string {
  const path = join(daemon.files, String(count++))
  mkdirSync(path)
  return path
}

async function begin(of: Program, names: readonly string[], options: object = {}): Promise<string> {
  const files = names.map((localName) => ({ remoteName: origin.url('/body'), localName }))
  const { job } = await of.call('job.create', { displayName: 'x', resume: true, files, options: { completion: 'automatic', ...options } })
  return job.id
}

async function ended(of: Program, names: readonly string[], options: object = {}): Promise<string> {
  const jobId = await begin(of, names, options)
  assert.equal((await of.call('job.wait', { jobId })).job.state, 'acknowledged')
  return jobId
}

test('all files of the job are published without a call, and the event says so with their names', async () => {
  const one = program()
  await one.register({ all: true })
  const place = folder()
  const names = [join(place, 'a'), join(place, 'b')]
  const jobId = await ended(one, names)
  assert.deepEqual(readdirSync(place).sort(), ['a', 'b'])
  assert.deepEqual(readFileSync(names[0] ?? ''), body)
  await one.toldOf(1)
  const [told] = one.told
  assert.deepEqual([told?.method, told?.job.id, told?.job.state], ['callback.jobTransferred', jobId, 'acknowledged'])
  assert.deepEqual(told?.files, names.map((localName, index) => ({ index, localName })))
})

test('who comes after the end is told once, also after a kill, and not again after acknowledging', async () => {
  const one = program()
  const jobId = await ended(one, [join(folder(), 'a')])
  one.close()
  await daemon.kill9()
  await daemon.start()
  const late = program()
  assert.equal((await late.register({ jobIds: [jobId] })).replayed, 1)
  await late.toldOf(1)
  assert.deepEqual([late.told[0]?.job.id, late.told[0]?.job.state], [jobId, 'acknowledged'])
  await until(async () => (await program().register({ jobIds: [jobId] })).replayed === 0, 'the acknowledgement')
})

test('an endpoint that does not answer is called again over the end of the job, and the next one is told', async () => {
  const one = program()
  one.answer = silence
  await one.register({ all: true })
  const jobId = await ended(one, [join(folder(), 'a')])
  await one.toldOf(1)
  const other = program()
  assert.ok((await other.register({ jobIds: [jobId] })).replayed >= 1)
  await other.toldOf(1)
  assert.equal(other.told[0]?.deliveryId, one.told.find(({ job }) => job.id === jobId)?.deliveryId)
})

test('the notify command runs for a job that has ended by itself', async () => {
  const one = program()
  const place = folder()
  await ended(one, [join(place, 'a')], { notify: { command: { program: '/bin/sh', args: ['-c', `echo "$BACKHAUL_EVENT" > ${place}/told`] } } })
  await until(() => existsSync(join(place, 'told')) && readFileSync(join(place, 'told'), 'utf8') === 'transferred\n', 'the command')
})

test('what cannot be published is an error of the job, and resuming or completing it tries again', async () => {
  const one = program()
  for (const again of ['job.resume', 'job.complete'] as const) {
    const name = join(folder(), 'a')
    writeFileSync(name, 'precious')
    const jobId = await begin(one, [name], { onConflict: 'fail' })
    const { job } = await one.call('job.wait', { jobId })
    assert.deepEqual([job.state, job.error?.context, job.error?.code, job.error?.fileIndex], ['error', 'local-file', 'local-file-exists', 0])
    assert.equal(readFileSync(name, 'utf8'), 'precious')
    renameSync(name, `${name} of before`)
    await one.call(again, { jobId })
    assert.equal((await one.call('job.wait', { jobId })).job.state, 'acknowledged')
    assert.deepEqual(readFileSync(name), body)
  }
})

test('a job that is transferred already is published when it is told to complete itself', async () => {
  const one = program()
  const name = join(folder(), 'a')
  const jobId = await begin(one, [name], { completion: 'manual' })
  assert.equal((await one.call('job.wait', { jobId })).job.state, 'transferred')
  assert.equal(existsSync(name), false)
  await one.call('job.update', { jobId, set: { options: { completion: 'automatic' } } })
  assert.equal((await one.call('job.wait', { jobId })).job.state, 'acknowledged')
  assert.deepEqual(readFileSync(name), body)
})

test('killed at the moment of publishing, the service goes on with it: the file is there once, whole', async () => {
  for (let round = 0; round < 4; round++) {
    const place = folder()
    writeFileSync(join(place, 'a.txt'), 'of before')
    const client = await daemon.client()
    await client.call('events.watch', {})
    const files = [{ remoteName: origin.url('/body'), localName: join(place, 'a.txt') }]
    const { job } = await client.call('job.create', { displayName: 'x', resume: true, files, options: { completion: 'automatic', onConflict: 'rename' } })
    const isThere = (): boolean => client.messages.some((message) => 'method' in message && JSON.stringify(message.params).includes('"transferred"'))
    await until(() => isThere() || existsSync(join(place, 'a (1).txt')), 'the file')
    await daemon.kill9()
    const again = await daemon.restart()
    assert.equal((await again.call('job.wait', { jobId: job.id })).job.state, 'acknowledged')
    assert.deepEqual(readdirSync(place).sort(), ['a (1).txt', 'a.txt'])
    assert.deepEqual(readFileSync(join(place, 'a (1).txt')), body)
    assert.equal((await again.call('file.get', { jobId: job.id, fileIndex: 0 })).file.localName, join(place, 'a (1).txt'))
  }
})
