// Rule 1, and what becomes of each state when the daemon dies in it.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Daemon, roomForJobs, until } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'
import type { RawClient } from './support/raw-client.ts'

const origin = await startOrigin()
const daemon = await Daemon.start({ config: roomForJobs + '[transfer]\nbackgroundSlots = 100\n' })
after(async () => {
  await daemon.close()
  await origin.close()
})
let client = await daemon.client()
const body = Buffer.alloc(300_000, 'abc')
origin.route('/good', { body })
origin.route('/stalls', { body, cutAfter: 1000, cut: 'stall' })
origin.route('/silent', { raw: '', keepOpen: true })
origin.route('/busy', { status: 503 })
let count = 0

function place(): string {
  const folder = join(daemon.files, String(count++))
  mkdirSync(folder)
  return folder
}

async function make(path: string, state: string, more: object = {}, folder = place()): Promise<{ jobId: string; folder: string }> {
  const files = [{ remoteName: origin.url(path), localName: join(folder, 'file') }]
  const { job } = await client.call('job.create', { displayName: path, resume: true, files, ...more })
  await client.call('job.wait', { jobId: job.id, states: [state], timeoutSeconds: 20 })
  return { jobId: job.id, folder }
}

async function stateOf(by: RawClient, jobId: string): Promise<string> {
  return (await by.call('job.get', { jobId })).job.state
}

test('each job whose making was answered is there, however many were under way when the daemon was killed', async () => {
  for (let round = 0; round < 3; round++) {
    const begun = Array.from({ length: 200 }, (_, at) => client.begin('job.create', { displayName: `${round} ${at}`, clientToken: `${round} ${at}` }))
    await client.answer(begun[60])
    await daemon.kill9()
    await client.closed()
    const answered = client.messages.flatMap((message) => ('result' in message && begun.includes(Number(message.id)) ? [(message.result as { job: { id: string } }).job.id] : []))
    assert.ok(answered.length > 0)
    await daemon.start()
    client = await daemon.client()
    const present = new Set((await client.call('job.list', { limit: 1000 })).jobs.map(({ id }) => id))
    assert.deepEqual(answered.filter((id) => !present.has(id)), [])
  }
  for (const { id } of (await client.call('job.list', { limit: 1000 })).jobs) await client.call('job.cancel', { jobId: id })
})

test('each answered change of one job is there', async () => {
  const { job } = await client.call('job.create', { displayName: '0' })
  const begun = Array.from({ length: 100 }, (_, at) => client.begin('job.update', { jobId: job.id, set: { displayName: String(at + 1) } }))
  await client.answer(begun[30])
  await daemon.kill9()
  await client.closed()
  const answered = client.messages.flatMap((message) => ('result' in message && begun.includes(Number(message.id)) ? [Number((message.result as { job: { displayName: string } }).job.displayName)] : []))
  await daemon.start()
  client = await daemon.client()
  const { displayName } = (await client.call('job.get', { jobId: job.id })).job
  assert.ok(Number(displayName) >= Math.max(...answered))
})

test('each state is what it was after kill -9; connecting and transferring begin anew', async () => {
  const suspended = await make('/good', 'suspended', { resume: false })
  const connecting = await make('/silent', 'connecting')
  const transferring = await make('/stalls', 'transferring')
  const waiting = await make('/busy', 'transient-error')
  const failed = await make('/missing', 'error')
  const transferred = await make('/good', 'transferred')
  const acknowledged = await make('/good', 'transferred')
  await client.call('job.complete', { jobId: acknowledged.jobId })
  const cancelled = await make('/stalls', 'transferring')
  await client.call('job.cancel', { jobId: cancelled.jobId })
  const before = await client.call('job.get', { jobId: waiting.jobId })
  const asked = origin.requestsFor('/good').length

  client = await daemon.restart()
  assert.equal(await stateOf(client, suspended.jobId), 'suspended')
  assert.deepEqual((await client.call('job.get', { jobId: waiting.jobId })).job.error, before.job.error)
  const error = (await client.call('job.get', { jobId: failed.jobId })).job
  assert.deepEqual([error.state, error.error?.httpStatus, error.errorCount], ['error', 404, 1])
  assert.equal(await stateOf(client, transferred.jobId), 'transferred')
  assert.equal(await stateOf(client, acknowledged.jobId), 'acknowledged')
  assert.equal(await stateOf(client, cancelled.jobId), 'cancelled')
  assert.deepEqual(readdirSync(cancelled.folder), [])
  await client.call('job.wait', { jobId: connecting.jobId, states: ['connecting'], timeoutSeconds: 20 })
  await client.call('job.wait', { jobId: transferring.jobId, states: ['transferring'], timeoutSeconds: 20 })
  await client.call('job.complete', { jobId: transferred.jobId })
  assert.deepEqual(readFileSync(join(transferred.folder, 'file')), body)
  assert.equal(origin.requestsFor('/good').length, asked)
  for (const { id } of (await client.call('job.list', {})).jobs) await client.call('job.cancel', { jobId: id })
})

test('bytes that were flushed are not fetched again', async () => {
  origin.route('/crumbs', (request) => (request.count < 3 ? { body, cutAfter: 50_000, cut: 'stall' } : { body }))
  const { jobId, folder } = await make('/crumbs', 'transferring')
  const arrived = async (bytes: number): Promise<boolean> => (await client.call('job.get', { jobId })).job.progress.bytesTransferred >= bytes
  await until(() => arrived(50_000), 'the first part is here')
  // Suspending flushes and records.
  await client.call('job.suspend', { jobId })
  await client.call('job.resume', { jobId })
  await until(() => arrived(100_000), 'the second part is here')
  client = await daemon.restart()
  await origin.asked('/crumbs', 3)
  await until(() => arrived(100_000), 'the third part is here')
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null })
  await daemon.start()
  client = await daemon.client()
  await client.call('job.wait', { jobId, timeoutSeconds: 20 })
  const starts = origin.requestsFor('/crumbs').map(({ headers }) => Number(/\d+/.exec(headers.range ?? '0')?.[0]))
  assert.deepEqual(starts.slice(0, 2), [0, 50_000])
  assert.ok((starts[2] ?? 0) >= 50_000, 'what the suspend had flushed')
  assert.ok((starts[3] ?? 0) >= (starts[2] ?? 0) + 50_000, 'what the orderly stop had flushed')
  await client.call('job.complete', { jobId })
  assert.deepEqual(readFileSync(join(folder, 'file')), body)
})

test('killed while completing, a job is either transferred or acknowledged, and its files are whole either way', async () => {
  for (let round = 0; round < 3; round++) {
    const folder = place()
    const names = Array.from({ length: 12 }, (_, at) => join(folder, String(at)))
    const { job } = await client.call('job.create', { displayName: 'many', resume: true, files: names.map((localName) => ({ remoteName: origin.url('/good'), localName })) })
    await client.call('job.wait', { jobId: job.id })
    client.begin('job.complete', { jobId: job.id })
    await until(() => round === 0 || existsSync(names[round * 3] ?? ''), 'some files have their names')
    client = await daemon.restart()
    const state = await stateOf(client, job.id)
    assert.ok(state === 'transferred' || state === 'acknowledged', state)
    if (state === 'transferred') {
      // What was begun before the kill is ended by the start, perhaps before this call comes.
      const { error, result } = await client.ask('job.complete', { jobId: job.id }, 20_000)
      if (!error) assert.equal((result as { partial: boolean }).partial, false)
    }
    assert.equal(await stateOf(client, job.id), 'acknowledged')
    for (const name of names) assert.deepEqual(readFileSync(name), body)
    assert.equal(readdirSync(folder).length, names.length)
  }
})

test('killed while cancelling, a job that is cancelled leaves no partial file behind', async () => {
  for (let round = 0; round < 3; round++) {
    const folder = place()
    const names = Array.from({ length: 12 }, (_, at) => join(folder, String(at)))
    const { job } = await client.call('job.create', { displayName: 'many', resume: true, files: names.map((localName) => ({ remoteName: origin.url('/good'), localName })) })
    await client.call('job.wait', { jobId: job.id })
    client.begin('job.cancel', { jobId: job.id })
    await until(() => round === 0 || readdirSync(folder).length < 12, 'the first are removed')
    client = await daemon.restart()
    if (await stateOf(client, job.id) !== 'cancelled') await client.call('job.cancel', { jobId: job.id })
    await until(() => readdirSync(folder).length === 0, 'nothing is left')
  }
})

test('a retry that was waited for comes after a restart, at its recorded time and not before', async () => {
  const askedAt: number[] = []
  origin.route('/later', ({ count: before }) => {
    askedAt.push(Date.now())
    return before === 0 ? { status: 503 } : { body }
  })
  const { jobId } = await make('/later', 'transient-error', { options: { minimumRetryDelaySeconds: 5 } })
  client = await daemon.restart()
  assert.equal(await stateOf(client, jobId), 'transient-error')
  assert.equal((await client.call('job.wait', { jobId, timeoutSeconds: 20 })).job.state, 'transferred')
  assert.ok((askedAt[1] ?? 0) - (askedAt[0] ?? 0) >= 4999)
})

test('a worker that is killed is a transient failure of its jobs, and the daemon goes on', async () => {
  const { jobId } = await make('/stalls', 'transferring')
  const [worker] = daemon.workers()
  assert.ok(worker)
  process.kill(worker, 'SIGKILL')
  const { job } = await client.call('job.wait', { jobId, states: ['transient-error'], timeoutSeconds: 20 })
  assert.deepEqual([job.error?.context, job.error?.code, job.error?.fatal], ['queue-manager', 'worker-lost', false])
  await client.call('job.resume', { jobId })
  await client.call('job.wait', { jobId, states: ['transferring'], timeoutSeconds: 20 })
  assert.notEqual(daemon.workers()[0], worker)
})

test('no worker outlives a daemon that was killed', async () => {
  const workers = daemon.workers()
  assert.ok(workers.length > 0)
  await daemon.kill9()
  await until(() => workers.every((pid) => !existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))), 'the workers have ended')
  await daemon.start()
})

test('the instance has another id at every start', async () => {
  client = await daemon.client()
  const { daemon: first } = await client.call('session.hello')
  client = await daemon.restart()
  const { daemon: second } = await client.call('session.hello')
  assert.notEqual(first.instanceId, second.instanceId)
  assert.equal(second.pid, daemon.pid)
})
