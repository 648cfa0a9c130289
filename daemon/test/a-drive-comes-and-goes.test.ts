// A drive is taken away between two attempts, and comes back: nothing is begun in the bare mount point, nothing is fetched twice, and
// what was finished can be completed.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Daemon, until } from './support/daemon.ts'
import { LoopDisk } from './support/loop-disk.ts'
import { startOrigin, type Origin } from './support/origin.ts'
import type { RawClient } from './support/raw-client.ts'

const disk = LoopDisk.make(64)
const skip = typeof disk === 'string' ? disk : false
const body = Buffer.alloc(300_000, 'abc')
let origin: Origin
let daemon: Daemon
let client: RawClient

before(async () => {
  if (skip) return
  origin = await startOrigin()
  for (const path of ['/half', '/deeper']) origin.route(path, ({ count }) => (count === 0 ? { body, cutAfter: 100_000, cut: 'reset' } : { body }))
  origin.route('/whole', { body })
  daemon = await Daemon.start()
  client = await daemon.client()
})

after(async () => {
  await daemon?.close()
  if (typeof disk !== 'string') disk.close()
  await origin?.close()
})

async function make(path: string, localName: string, state: string): Promise<string> {
  const { job } = await client.call('job.create', {
    displayName: path, resume: true, files: [{ remoteName: origin.url(path), localName }], options: { minimumRetryDelaySeconds: 3600, noProgressTimeoutSeconds: 36_000 },
  })
  await client.call('job.wait', { jobId: job.id, states: [state], timeoutSeconds: 20 })
  return job.id
}

test('a half job waits for its drive, and a finished one can be completed once it is there', { skip }, async () => {
  if (typeof disk === 'string') return
  mkdirSync(join(disk.path, 'folder'))
  const half = await make('/half', join(disk.path, 'half'), 'transient-error')
  const deeper = await make('/deeper', join(disk.path, 'folder', 'half'), 'transient-error')
  const whole = await make('/whole', join(disk.path, 'whole'), 'transferred')
  await until(() => disk.unmount(), 'nobody uses the disk any more')
  for (const jobId of [half, deeper]) {
    await client.call('job.resume', { jobId })
    const { job } = await client.call('job.wait', { jobId, states: ['error', 'transferred'], timeoutSeconds: 20 })
    assert.deepEqual([job.state, job.error?.code, job.error?.context], ['error', 'volume-changed', 'local-file'])
  }
  const refused = await client.refusal('job.complete', { jobId: whole })
  assert.equal(refused.data.kind, 'publish-failed')
  assert.deepEqual(readdirSync(disk.path), [])
  disk.mount()
  for (const [path, jobId] of [['/half', half], ['/deeper', deeper]] as const) {
    await client.call('job.resume', { jobId })
    await client.call('job.wait', { jobId, states: ['transferred'], timeoutSeconds: 20 })
    assert.match(origin.requestsFor(path).at(-1)?.headers.range ?? '', /^bytes=100000-/)
    await client.call('job.complete', { jobId })
  }
  await client.call('job.complete', { jobId: whole })
  for (const name of ['half', join('folder', 'half'), 'whole']) assert.ok(readFileSync(join(disk.path, name)).equals(body))
})

test('what cannot be removed for a while is removed later, also by the next start', { skip }, async () => {
  if (typeof disk === 'string') return
  origin.route('/cut', { body, cutAfter: 100_000, cut: 'reset' })
  const jobId = await make('/cut', join(disk.path, 'cut'), 'transient-error')
  const partialFiles = (): string[] => readdirSync(disk.path).filter((name) => name.startsWith('BH'))
  assert.equal(partialFiles().length, 1)
  await until(() => spawnSync('mount', ['-o', 'remount,ro', disk.path], { stdio: 'ignore' }).status === 0, 'nobody writes to the disk any more')
  assert.equal((await client.call('job.cancel', { jobId })).job.state, 'cancelled')
  assert.equal(partialFiles().length, 1)
  client = await daemon.restart()
  assert.equal(partialFiles().length, 1)
  execFileSync('mount', ['-o', 'remount,rw', disk.path])
  client = await daemon.restart()
  await until(() => partialFiles().length === 0, 'the end of the partial file')
  assert.equal((await client.call('job.get', { jobId })).job.state, 'cancelled')
})
