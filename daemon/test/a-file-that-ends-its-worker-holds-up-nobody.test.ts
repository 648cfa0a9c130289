// A crash of a worker is our own fault: what moved is tried again within seconds, and what crashes again and again does so by itself.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Job } from '../../protocol/job.ts'
import { until } from './support/daemon.ts'
import { startSystemDaemon, type SystemDaemon } from './support/system-daemon.ts'
import { callAs, type TestCaller } from './support/users.ts'

let daemon: SystemDaemon
let owner: TestCaller

before(async () => {
  daemon = await startSystemDaemon({ worker: join(import.meta.dirname, 'support', 'hostile-worker.ts'), mode: 'user' })
  owner = callAs(daemon.socket, null)
})

after(async () => {
  await owner?.close()
  await daemon?.close()
})

async function start(...tricks: readonly string[]): Promise<string> {
  const files = tricks.map((trick, at) => ({ remoteName: `http://127.0.0.1:9/${trick}`, localName: `/nowhere/${at}` }))
  return (await owner.call('job.create', { displayName: tricks.join(' '), resume: true, priority: 'foreground', files })).job.id
}

const look = async (jobId: string): Promise<Job> => (await owner.call('job.get', { jobId })).job

/** Its error after so many; waits for it. */
async function failed(jobId: string, count: number): Promise<NonNullable<Job['error']>> {
  await until(async () => (await look(jobId)).errorCount >= count, `${count} errors`)
  return (await look(jobId)).error ?? assert.fail('it has no error')
}

const delayOf = ({ at, retryAt }: NonNullable<Job['error']>): number => (retryAt ?? 0) - at

describe('crashes', { concurrency: true }, () => {
  test('what moved beside a file that ends its worker is done seconds later, and new jobs at once', async () => {
    const bystander = await start('honest-later')
    const culprit = await start('exits')
    assert.equal(delayOf(await failed(culprit, 1)), 2000)
    const again = await failed(culprit, 2)
    assert.deepEqual([again.code, delayOf(again)], ['worker-lost', 8000])
    await until(async () => (await look(bystander)).state === 'transferred', 'the other job is done')
    assert.equal((await look(bystander)).errorCount, 1)
    const fresh = await start('honest-later')
    assert.equal(delayOf(await failed(culprit, 3)), 32_000)
    await until(async () => (await look(fresh)).state === 'transferred', 'a job that came later is done')
    assert.equal((await look(fresh)).errorCount, 0)
  })

  test('the other files of its job are done too', async () => {
    const jobId = await start('honest-later', 'exits', 'honest-later')
    await until(async () => (await look(jobId)).progress.filesTransferred === 2, 'the files that can be had are here', 30_000)
    assert.equal((await look(jobId)).error?.code ?? 'worker-lost', 'worker-lost')
  })
})
