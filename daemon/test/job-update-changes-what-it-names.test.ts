import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Daemon } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'

const origin = await startOrigin()
const daemon = await Daemon.start()
after(async () => {
  await daemon.close()
  await origin.close()
})
let client = await daemon.client()
origin.route('/file', { body: Buffer.from('x') })

test('a new job has the defaults of the contract', async () => {
  const { job } = await client.call('job.create', { displayName: 'plain' })
  assert.deepEqual([job.type, job.description, job.application, job.state, job.priority, job.error, job.errorCount, job.transferredAt, job.endedAt],
    ['download', '', null, 'suspended', 'normal', null, 0, null, null])
  assert.deepEqual(job.progress, { bytesTotal: 0, bytesTransferred: 0, filesTotal: 0, filesTransferred: 0, bytesPerSecond: 0 })
  const { minimumRetryDelaySeconds, noProgressTimeoutSeconds, maximumDownloadTimeSeconds, maximumDownloadBytes, notify, http } = job.options
  assert.deepEqual({ minimumRetryDelaySeconds, noProgressTimeoutSeconds, maximumDownloadTimeSeconds, maximumDownloadBytes, notify },
    { minimumRetryDelaySeconds: 600, noProgressTimeoutSeconds: 1_209_600, maximumDownloadTimeSeconds: 7_776_000, maximumDownloadBytes: null,
      notify: { events: ['transferred', 'error'], command: null, minimumIntervalMs: 500 } })
  assert.deepEqual([http.method, http.headers, http.redirects], ['GET', {}, 'allow'])
  assert.match(job.id, /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(job.owner.id, String(process.getuid?.()))
})

test('what is left out stays, and what is sent is there after kill -9', async () => {
  const { job } = await client.call('job.create', { displayName: 'before', description: 'd', application: 'a', options: { maximumDownloadBytes: 7, notify: { minimumIntervalMs: 9 } } })
  const { job: changed } = await client.call('job.update', { jobId: job.id, set: { displayName: 'after', priority: 'low', options: { minimumRetryDelaySeconds: 1, notify: { events: ['error', 'modification'] } } } })
  client = await daemon.restart()
  const { job: kept } = await client.call('job.get', { jobId: job.id })
  assert.deepEqual({ ...kept, waiting: null }, { ...changed, waiting: null })
  assert.deepEqual([kept.displayName, kept.description, kept.application, kept.priority], ['after', 'd', 'a', 'low'])
  assert.deepEqual([kept.options.maximumDownloadBytes, kept.options.notify], [7, { events: ['error', 'modification'], command: null, minimumIntervalMs: 9 }])
  assert.ok(kept.modifiedAt >= job.modifiedAt)
  assert.equal(kept.createdAt, job.createdAt)
})

test('a retry delay below 5 seconds counts as 5', async () => {
  const { job } = await client.call('job.create', { displayName: 'x', options: { minimumRetryDelaySeconds: 0 } })
  assert.equal(job.options.minimumRetryDelaySeconds, 5)
  assert.equal((await client.call('job.update', { jobId: job.id, set: { options: { minimumRetryDelaySeconds: 1 } } })).job.options.minimumRetryDelaySeconds, 5)
})

test('the application and the notify command can be taken away again', async () => {
  const command = { program: '/bin/true', args: ['a b', ''] }
  const { job } = await client.call('job.create', { displayName: 'x', application: 'a', options: { notify: { command } } })
  assert.deepEqual(job.options.notify.command, command)
  const { job: bare } = await client.call('job.update', { jobId: job.id, set: { application: null, options: { notify: { command: null } } } })
  assert.deepEqual([bare.application, bare.options.notify.command, bare.options.notify.events], [null, null, ['transferred', 'error']])
})

test('header values are sent to the server and never answered; null keeps one, leaving it out removes it', async () => {
  const files = [{ remoteName: origin.url('/file'), localName: join(daemon.files, 'a') }]
  const { job } = await client.call('job.create', { displayName: 'x', files, options: { http: { headers: { 'X-One': 'first-value', 'X-Two': 'second-value' } } } })
  assert.deepEqual(job.options.http.headers, { 'X-One': null, 'X-Two': null })
  const { job: changed } = await client.call('job.update', { jobId: job.id, set: { options: { http: { headers: { 'X-One': null, 'X-Three': 'third-value' } } } } })
  assert.deepEqual(changed.options.http.headers, { 'X-One': null, 'X-Three': null })
  await client.call('job.update', { jobId: job.id, set: { options: { http: { redirects: 'disallow' } } } })
  client = await daemon.restart()
  await client.call('job.resume', { jobId: job.id })
  await client.call('job.wait', { jobId: job.id })
  const asked = origin.requests.at(-1)?.headers
  assert.deepEqual([asked?.['x-one'], asked?.['x-two'], asked?.['x-three']], ['first-value', undefined, 'third-value'])
  await client.call('job.complete', { jobId: job.id })
  for (const message of [await client.call('job.get', { jobId: job.id }), await client.call('job.list', { states: ['acknowledged'] }), daemon.said]) {
    assert.equal(/(first|second|third)-value/.test(JSON.stringify(message)), false)
  }
})

test('a change that is wrong in one place changes nothing', async () => {
  const { job } = await client.call('job.create', { displayName: 'x' })
  await client.refusal('job.update', { jobId: job.id, set: { displayName: 'y', priority: 'urgent' } })
  assert.deepEqual((await client.call('job.get', { jobId: job.id })).job, job)
})

test('the priority of a queued job can be raised, and it moves then', async () => {
  origin.route('/stalls', { body: Buffer.alloc(100), cutAfter: 10, cut: 'stall' })
  const make = async (path: string, priority: string): Promise<string> =>
    (await client.call('job.create', { displayName: path, priority, resume: true, files: [{ remoteName: origin.url(path), localName: join(daemon.files, `${priority}${path.slice(1)}`) }] })).job.id
  const blocking = await make('/stalls', 'normal')
  await client.call('job.wait', { jobId: blocking, states: ['transferring'] })
  const low = await make('/file', 'low')
  assert.equal((await client.call('job.get', { jobId: low })).job.waiting?.reason, 'priority')
  await client.call('job.update', { jobId: low, set: { priority: 'foreground' } })
  assert.equal((await client.call('job.wait', { jobId: low })).job.state, 'transferred')
})
