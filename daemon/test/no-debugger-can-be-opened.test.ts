// SIGUSR1 makes Node open its debugger, through which whoever reaches the port runs code in the process.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { childrenOf, Daemon, until } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'

/** The process has taken the signal, and something of its own stands in its way. */
async function tookSignal(pid: number): Promise<void> {
  process.kill(pid, 'SIGUSR1')
  const pending = (): boolean => /^(SigPnd|ShdPnd):\s*0*[1-9a-f]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  await until(() => !pending(), 'the signal is taken')
}

test('SIGUSR1 opens no debugger in the broker or in a worker, and harms neither', { skip: process.platform !== 'linux' && 'looks into /proc' }, async (t) => {
  const origin = await startOrigin()
  const daemon = await Daemon.start()
  t.after(async () => {
    await daemon.close()
    await origin.close()
  })
  const body = Buffer.alloc(100_000, 'x')
  origin.route('/slow', { body, pace: { bytes: 10_000, everyMs: 50 } })
  const client = await daemon.client()
  const files = [{ remoteName: origin.url('/slow'), localName: join(daemon.files, 'slow') }]
  const { job } = await client.call('job.create', { displayName: 'slow', resume: true, files })
  await client.call('job.wait', { jobId: job.id, states: ['transferring'] })
  const workers = childrenOf(daemon.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker-start'))
  assert.ok(workers.length > 0)
  for (const pid of [daemon.pid, ...workers]) await tookSignal(pid)
  assert.equal((await client.call('job.wait', { jobId: job.id })).job.state, 'transferred')
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null })
  assert.doesNotMatch(daemon.said, /Debugger|inspector/i)
})
