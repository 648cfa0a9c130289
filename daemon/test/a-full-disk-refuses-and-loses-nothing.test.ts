// The disk of the queue, and that of the owner's files, are small file systems, mounted for the test by root.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Job } from '../../protocol/job.ts'
import { Daemon, until } from './support/daemon.ts'
import { LoopDisk } from './support/loop-disk.ts'
import { startOrigin } from './support/origin.ts'

const mebibyte = 1024 * 1024
const skip = process.getuid?.() === 0 && process.platform === 'linux' && mayMount() ? false : 'needs root on Linux to mount a small file system'

function mayMount(): boolean {
  return spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' }).status === 0
}

function mountSmall(t: TestContext, folder: string, size: string): void {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0777`, 'tmpfs', folder])
  t.after(() => void spawnSync('umount', ['--lazy', folder]))
}

/** Takes every byte that is left. */
function fill(path: string, folder: string): void {
  const { bavail, bsize } = statfsSync(folder)
  for (let left = bavail * bsize; left > 0; left = Math.floor(left / 2)) {
    try {
      writeFileSync(path, Buffer.alloc(left), { flag: 'a' })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
    }
  }
}

test('a queue that cannot be written refuses with storage-full, answers reads, loses nothing, and goes on when there is room', { skip }, async (t) => {
  const daemon = Daemon.make({ config: '[limits]\njobsPerUser = 100000\n' })
  // What is taken down first was put up first: lazily, since the daemon still runs then.
  mountSmall(t, daemon.state, '12m')
  t.after(() => daemon.close())
  await daemon.start()
  let client = await daemon.client()
  const description = 'x'.repeat(1000)
  const acknowledged: string[] = []
  for (let at = 0; at < 50; at++) acknowledged.push((await client.call('job.create', { displayName: String(at), description })).job.id)
  const filler = join(daemon.state, 'filler')
  fill(filler, daemon.state)

  let refused
  while (!refused) {
    const { result, error } = await client.ask('job.create', { displayName: 'more', description }, 10_000)
    if (error) refused = error
    else acknowledged.push((result as { job: { id: string } }).job.id)
  }
  assert.deepEqual([refused.code, refused.data.kind, refused.data.retryable], [1015, 'storage-full', true])
  for (let at = 0; at < 5; at++) {
    const startedAt = performance.now()
    assert.equal((await client.refusal('job.update', { jobId: acknowledged[0], set: { displayName: 'changed' } })).code, 1015)
    assert.ok(performance.now() - startedAt < 2000, 'the refusal comes within two seconds')
  }
  assert.equal((await client.call('job.get', { jobId: acknowledged[0] })).job.displayName, '0')
  assert.equal((await client.call('job.list', { limit: 1000 })).jobs.length, Math.min(1000, acknowledged.length))
  await client.call('queue.stats')

  rmSync(filler)
  let made
  while (!made) made = (await client.ask('job.create', { displayName: 'room again' })).result
  acknowledged.push((made as { job: { id: string } }).job.id)
  fill(filler, daemon.state)
  await client.ask('job.create', { displayName: 'perhaps', description })
  await daemon.kill9()
  rmSync(filler)
  await daemon.start()
  client = await daemon.client()
  for (const id of acknowledged) assert.equal((await client.call('job.get', { jobId: id })).job.state, 'suspended')
  assert.equal((await client.call('job.get', { jobId: acknowledged[0] })).job.displayName, '0')
})

test('a full disk of the owner is a fatal error of the local file, before the bytes come or while they do, and cancel leaves nothing', { skip }, async (t) => {
  const origin = await startOrigin()
  const daemon = await Daemon.start()
  const small = join(daemon.files, 'small')
  mountSmall(t, small, '1m')
  t.after(async () => {
    await daemon.close()
    await origin.close()
  })
  const client = await daemon.client()
  for (const framing of ['length', 'chunked'] as const) {
    origin.route('/big', { body: Buffer.alloc(3 * 1024 * 1024, 'x'), framing })
    const files = [{ remoteName: origin.url('/big'), localName: join(small, framing) }]
    const { job } = await client.call('job.create', { displayName: framing, resume: true, files })
    const { job: failed } = await client.call('job.wait', { jobId: job.id })
    assert.deepEqual([failed.state, failed.error?.context, failed.error?.code, failed.error?.fatal], ['error', 'local-file', 'disk-full', true], framing)
    await client.call('job.cancel', { jobId: job.id })
    assert.deepEqual(readdirSync(small), [])
  }
})

test('a large file has its space from the beginning: what no longer fits beside it fails at once, and both take what they need and no more', { skip }, async (t) => {
  const disk = LoopDisk.make(64)
  if (typeof disk === 'string') return t.skip(disk)
  const origin = await startOrigin()
  const daemon = await Daemon.start()
  t.after(async () => {
    await daemon.close()
    await origin.close()
    disk.close()
  })
  chmodSync(disk.path, 0o777)
  const free = (): number => statfsSync(disk.path).bavail * statfsSync(disk.path).bsize
  const body = randomBytes(30 * mebibyte)
  origin.route('/waits', { body, cutAfter: mebibyte, cut: 'stall' })
  origin.route('/whole', { body })
  let client = await daemon.client()
  const fetched = async (name: string, path: string, states: string[]): Promise<Job> => {
    const files = [{ remoteName: origin.url(path), localName: join(disk.path, name) }]
    const { job } = await client.call('job.create', { displayName: name, resume: true, files })
    return (await client.call('job.wait', { jobId: job.id, states })).job
  }
  const before = free()
  const first = await fetched('first', '/waits', ['transferring'])
  assert.ok(before - free() >= body.length, 'the space of the first is taken before its bytes have come')

  const left = free()
  const second = await fetched('second', '/whole', ['error'])
  assert.deepEqual([second.error?.code, second.progress.bytesTransferred], ['disk-full', 0])
  assert.ok(left - free() < mebibyte, 'what was refused has taken nothing')

  await client.call('job.suspend', { jobId: first.id })
  await until(() => before - free() < 3 * mebibyte, 'that a job that rests keeps what has come and no more')
  await client.call('job.resume', { jobId: first.id })
  await client.call('job.wait', { jobId: first.id, states: ['transferring'] })
  await daemon.kill9()
  origin.route('/waits', { body })
  await daemon.start()
  client = await daemon.client()
  await client.call('job.wait', { jobId: first.id, states: ['transferred'] })
  await client.call('job.complete', { jobId: first.id })
  assert.deepEqual(readFileSync(join(disk.path, 'first')), body)
  await client.call('job.cancel', { jobId: second.id })
  assert.deepEqual(readdirSync(disk.path).sort(), ['first', 'lost+found'])
})
