// job.complete beside a queue that cannot be written, and over a crash in the middle: never "nothing was changed" when something was.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { jobKey } from '../broker/store/keys.ts'
import { LevelStore } from '../broker/store/level-store.ts'
import { Daemon, until } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'

const mayMount = (): boolean => spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' }).status === 0
const skip = process.getuid?.() === 0 && process.platform === 'linux' && mayMount() ? false : 'needs root on Linux to mount a small file system'
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => quiet }

async function transferred(daemon: Daemon, url: string): Promise<{ jobId: string; localName: string }> {
  const client = await daemon.client()
  const localName = join(daemon.files, 'file')
  const { job } = await client.call('job.create', { displayName: 'file', resume: true, files: [{ remoteName: url, localName }] })
  assert.equal((await client.call('job.wait', { jobId: job.id })).job.state, 'transferred')
  return { jobId: job.id, localName }
}

test('a completion that a crash cut off between the names and the record is ended by the next start', async (t) => {
  const origin = await startOrigin()
  const daemon = await Daemon.start()
  t.after(async () => {
    await daemon.close()
    await origin.close()
  })
  origin.route('/file', { body: Buffer.from('content') })
  const { jobId, localName } = await transferred(daemon, origin.url('/file'))
  await daemon.kill9()
  // As the crash leaves it: the intention is recorded, the file has its name, and the job does not know.
  const store = await LevelStore.open(join(daemon.state, 'queue'), quiet)
  const head = JSON.parse(await store.get(jobKey(jobId)) ?? '') as object
  await store.commit([{ type: 'put', key: jobKey(jobId), value: JSON.stringify({ ...head, publishing: true }) }])
  await store.close()
  const [partial = ''] = readdirSync(daemon.files).filter((name) => name.startsWith('BH'))
  renameSync(join(daemon.files, partial), localName)
  await daemon.start()
  const client = await daemon.client()
  const { job } = await client.call('job.wait', { jobId, states: ['acknowledged'], timeoutSeconds: 20 })
  assert.equal(job.state, 'acknowledged')
  assert.equal(readFileSync(localName, 'utf8'), 'content')
})

test('where the queue cannot be written, nothing gets its name, and completing again does it once there is room', { skip }, async (t) => {
  const origin = await startOrigin()
  const daemon = Daemon.make()
  mkdirSync(daemon.state)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=0700', 'tmpfs', daemon.state])
  t.after(async () => {
    spawnSync('umount', ['--lazy', daemon.state])
    await daemon.close()
    await origin.close()
  })
  await daemon.start()
  origin.route('/file', { body: Buffer.from('content') })
  const { jobId, localName } = await transferred(daemon, origin.url('/file'))
  const client = await daemon.client()
  const filler = join(daemon.state, 'filler')
  const answer = async (): Promise<{ result?: unknown; error?: { code: number } }> => {
    const { bavail, bsize } = statfsSync(daemon.state)
    for (let left = bavail * bsize; left > 0; left = Math.floor(left / 2)) {
      try {
        writeFileSync(filler, Buffer.alloc(left), { flag: 'a' })
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
      }
    }
    return await client.ask('job.update', { jobId, set: { description: 'x'.repeat(1000) } }, 10_000)
  }
  // Until the queue's own file needs more room than there is.
  await until(async () => (await answer()).error !== undefined, 'the queue cannot be written')
  const refused = await client.refusal('job.complete', { jobId })
  assert.equal(refused.code, 1015)
  assert.ok(!existsSync(localName))
  rmSync(filler)
  await until(async () => (await client.ask('job.complete', { jobId })).result !== undefined, 'the job is completed')
  assert.equal(readFileSync(localName, 'utf8'), 'content')
})
