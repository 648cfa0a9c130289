import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Daemon, readProcess, until } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'

const onlyLinux = process.platform === 'linux' ? false : 'needs /proc'

/** Clock ticks, of 10 ms, that the process has used: utime and stime of proc(5). */
function ticksOf(pid: number): number {
  const fields = readProcess(pid, 'stat').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

/** How many times it was given the processor of its own will or not. */
function wakesOf(pid: number): number {
  return [...readProcess(pid, 'status').matchAll(/ctxt_switches:\s+(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
}

test('with jobs in every waiting state, and a caller who waits, the daemon sleeps and lets its worker go', { skip: onlyLinux }, async (t) => {
  const origin = await startOrigin()
  const daemon = await Daemon.start({ config: '[transfer]\nworkerIdleSeconds = 0.2\n' })
  t.after(async () => {
    await daemon.close()
    await origin.close()
  })
  origin.route('/good', { body: Buffer.from('x') })
  origin.route('/busy', { status: 503 })
  const client = await daemon.client()
  const make = async (path: string, state: string, resume = true): Promise<string> => {
    const { job } = await client.call('job.create', { displayName: path, resume, files: [{ remoteName: origin.url(path), localName: join(daemon.files, state) }] })
    await client.call('job.wait', { jobId: job.id, states: [state] })
    return job.id
  }
  await make('/good', 'suspended', false)
  await make('/busy', 'transient-error')
  await make('/missing', 'error')
  client.begin('job.wait', { jobId: await make('/good', 'transferred'), states: ['acknowledged'] })
  await until(() => daemon.workers().length === 0, 'the worker was let go')

  // Whatever the machine is busy with, a process that does not run uses nothing: some quiet window of two seconds must come.
  let used = Infinity
  let woken = Infinity
  for (let window = 0; window < 5 && (used > 2 || woken > 20); window++) {
    const before = [ticksOf(daemon.pid), wakesOf(daemon.pid)]
    await new Promise((resolve) => setTimeout(resolve, 2000))
    used = ticksOf(daemon.pid) - (before[0] ?? 0)
    woken = wakesOf(daemon.pid) - (before[1] ?? 0)
  }
  assert.ok(used <= 2, `${used} ticks in two seconds`)
  assert.ok(woken <= 20, `woken ${woken} times in two seconds`)
})
