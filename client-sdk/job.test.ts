import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect, type Client } from './client.ts'
import { startDaemonProcess, type DaemonProcess } from './test/daemon-process.ts'
import { startOrigin, type Origin } from './test/origin.ts'

let daemon: DaemonProcess
let origin: Origin
let client: Client
before(async () => {
  daemon = await startDaemonProcess()
  origin = await startOrigin()
  client = await connect({ socket: daemon.socket, client: { name: 'test', version: '1' } })
})
after(async () => {
  client.close()
  await origin.close()
  await daemon.close()
})

test('the hello says who is there', async () => {
  assert.equal(client.hello.daemon.name, 'backhauld')
  assert.equal(client.hello.daemon.mode, 'user')
  assert.equal(client.hello.caller.id, String(process.getuid?.()))
  await client.ping()
})

test('a job is made, filled, resumed, waited for and completed by its handle', async () => {
  const bodies = [randomBytes(5000), randomBytes(7000)]
  bodies.forEach((body, at) => origin.serve(`/file${at}`, body))
  const job = await client.createJob({ displayName: 'two files', application: 'job-test' })
  assert.equal((await job.get()).state, 'suspended')
  const files = await job.addFiles(bodies.map((_, at) => ({ remoteName: origin.url(`/file${at}`), localName: join(daemon.folder, `file${at}`) })))
  assert.deepEqual(files.map(({ index }) => index), [0, 1])
  assert.equal((await job.update({ priority: 'foreground', description: 'd' })).description, 'd')
  assert.ok((await job.explain()).length > 0)
  await job.resume()
  const { job: waited, timedOut } = await job.wait({ timeoutSeconds: 30 })
  assert.deepEqual([waited.state, timedOut], ['transferred', false])
  const { partial, files: published } = await job.complete()
  assert.equal(partial, false)
  for (const { index, localName } of published) assert.deepEqual(await readFile(localName), bodies[index])
  assert.equal((await job.file(1)).progress.completed, true)
})

test('listing jobs and files goes over all pages', async () => {
  const made: string[] = []
  for (let at = 0; at < 5; at++) made.push((await client.createJob({ displayName: `page ${at}`, application: 'pages' })).id)
  const seen: string[] = []
  for await (const { id } of client.listJobs({ application: 'pages', pageSize: 2 })) seen.push(id)
  assert.deepEqual(seen, made)
  const job = client.job(made[0] ?? '')
  await job.addFiles(Array.from({ length: 5 }, (_, at) => ({ remoteName: 'http://127.0.0.1/x', localName: join(daemon.folder, `p${at}`) })))
  const indexes: number[] = []
  for await (const { index } of job.files({ pageSize: 2 })) indexes.push(index)
  assert.deepEqual(indexes, [0, 1, 2, 3, 4])
  for (const id of made) assert.equal((await client.job(id).cancel()).state, 'cancelled')
})

test('a wait that takes too long says so, and what a daemon refuses is thrown with its kind', async () => {
  const job = await client.createJob({ displayName: 'empty' })
  const { timedOut } = await job.wait({ timeoutSeconds: 0 })
  assert.equal(timedOut, true)
  await assert.rejects(job.resume(), { kind: 'empty-job', code: 1003 })
  await assert.rejects(client.job('00000000-0000-4000-8000-000000000000').get(), { kind: 'job-not-found' })
  await job.cancel()
})

test('the counts of the queue and the description of the protocol can be asked for', async () => {
  assert.equal((await client.stats()).limits.jobsPerUser, 60)
  assert.match((await client.discover()).openrpc, /^1\./)
})
