import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect } from './client.ts'
import { startDaemonProcess, type DaemonProcess } from './test/daemon-process.ts'
import { startOrigin, type Origin } from './test/origin.ts'
import { until } from './test/scripted-daemon.ts'

let daemon: DaemonProcess
let origin: Origin
before(async () => {
  daemon = await startDaemonProcess()
  origin = await startOrigin()
})
after(async () => {
  await origin.close()
  await daemon.close()
})

test('a handler that completes the job from inside gets the file published', async () => {
  const body = randomBytes(20_000)
  origin.serve('/handled', body)
  const localName = join(daemon.folder, 'handled')
  await using client = await connect({ socket: daemon.socket })
  const seen: string[] = []
  const registration = await client.callbacks({ application: 'handled' }, {
    async jobTransferred(job, call) {
      seen.push(`${job.id} ${call.registrationId}`)
      await client.job(job.id).complete()
    },
  })
  const job = await client.createJob({ displayName: 'h', application: 'handled', resume: true, files: [{ remoteName: origin.url('/handled'), localName }] })
  assert.equal((await job.wait({ states: ['acknowledged'], timeoutSeconds: 30 })).timedOut, false)
  assert.deepEqual(await readFile(localName), body)
  assert.deepEqual(seen, [`${job.id} ${registration.registrationId}`])
  await registration.close()
})

test('what happened while nobody was registered is replayed, and again by the SDK itself after the daemon was killed', async () => {
  origin.serve('/replayed', randomBytes(1000))
  await using client = await connect({ socket: daemon.socket })
  const job = await client.createJob({
    displayName: 'r', application: 'replayed', resume: true, files: [{ remoteName: origin.url('/replayed'), localName: join(daemon.folder, 'replayed') }],
  })
  await job.wait({ timeoutSeconds: 30 })
  const deliveries: string[] = []
  const registration = await client.callbacks({ application: 'replayed' }, { jobTransferred: (_, call) => void deliveries.push(call.deliveryId) })
  assert.equal(registration.replayed, 1)
  await until(() => deliveries.length === 1, 'the replay')
  await daemon.kill9()
  await daemon.start()
  await until(() => deliveries.length === 2, 'the replay after the restart')
  assert.equal(deliveries[0], deliveries[1])
  await job.cancel()
})

test('a handler that throws is called again with the same delivery', async () => {
  origin.refuse('/failing', 404)
  await using client = await connect({ socket: daemon.socket, onError: () => {} })
  const attempts: [string, number, string][] = []
  const registration = await client.callbacks({ application: 'failing' }, {
    jobError(_, error, call) {
      attempts.push([call.deliveryId, call.attempt, error.code])
      if (call.attempt === 1) throw new Error('not now')
    },
  })
  const job = await client.createJob({
    displayName: 'f', application: 'failing', resume: true, files: [{ remoteName: origin.url('/failing'), localName: join(daemon.folder, 'failing') }],
  })
  await until(() => attempts.length === 2, 'the second attempt')
  assert.equal(attempts[0]?.[0], attempts[1]?.[0])
  assert.deepEqual(attempts.map(([, attempt, code]) => [attempt, code]), [[1, 'http-error'], [2, 'http-error']])
  await registration.close()
  await job.cancel()
})

test('a watch sees a job from its creation to its end', async () => {
  origin.serve('/watched', randomBytes(1000))
  await using client = await connect({ socket: daemon.socket })
  const watch = client.watch({ application: 'watched' })
  const job = await client.createJob({
    displayName: 'w', application: 'watched', resume: true, files: [{ remoteName: origin.url('/watched'), localName: join(daemon.folder, 'watched') }],
  })
  await job.wait({ timeoutSeconds: 30 })
  await job.complete()
  const kinds = new Set<string>()
  for await (const event of watch) {
    assert.equal(event.job?.id, job.id)
    kinds.add(event.kind)
    if (event.kind === 'ended') break
  }
  for (const kind of ['created', 'state', 'transferred', 'ended']) assert.ok(kinds.has(kind), kind)
})
