// The broker or the worker is killed at its n-th fdatasync, fsync, rename, … of a short session, for n after n. A plain run
// takes some of them; `scripts/torture.ts` takes all until n is beyond the last.
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { Daemon, readProcess } from './support/daemon.ts'
import { judge } from './support/judge.ts'
import { startMixedOrigin } from './support/mixed-origin.ts'
import type { Program } from './support/program.ts'
import { Chance, rounds, seed } from './support/seed.ts'
import { remembersAll, Session } from './support/session.ts'
import { inject, needsStrace } from './support/strace.ts'

const { origin, bodies } = await startMixedOrigin()
after(() => origin.close())
/** One thread in the pool, so that the calls come in one order. */
const environment = { UV_THREADPOOL_SIZE: '1' }

/** Kills at one point after another; says how many of them were reached. */
async function killAt(t: TestContext, who: 'broker' | 'worker', call: string, points: readonly number[]): Promise<void> {
  const daemon = Daemon.make({ environment, config: `${remembersAll}[callbacks]\nretrySeconds = 0.1\n` })
  t.after(() => daemon.close())
  await daemon.start()
  const session = new Session({ origin, paths: ['/small', '/large', '/broken', '/changing'], folder: daemon.files, chance: new Chance(seed), lanes: 2 })
  let reached = 0
  for (const when of points) {
    const program = await session.connect(daemon.socket)
    if (who === 'worker') await wakeWorker(daemon, program)
    const pid = who === 'broker' ? daemon.pid : daemon.workers()[0] ?? 0
    const { detach } = await inject(pid, { call, fault: 'signal=KILL', when: String(when) })
    const before = session.answered
    const isOver = (): boolean => session.answered - before >= 120 || readProcess(pid, 'cmdline') === ''
    await session.run(program, isOver)
    const wasKilled = readProcess(pid, 'cmdline') === ''
    await detach()
    program.close()
    if (wasKilled) reached++
    if (wasKilled && who === 'broker') await daemon.start()
    const witness = await session.connect(daemon.socket)
    assert.deepEqual(await judge(session, witness, bodies), [], `seed ${seed}, ${who} killed at ${call} ${when}`)
    witness.close()
  }
  const program = await session.connect(daemon.socket)
  await session.finish(program)
  assert.deepEqual(await judge(session, program, bodies), [], `seed ${seed}, ${who}, ${call}, at the end`)
  program.close()
  t.diagnostic(`${who}, ${call}: ${reached} of ${points.length} points reached`)
  assert.ok(reached > 0, `no ${call} of the ${who} was reached`)
}

async function wakeWorker(daemon: Daemon, program: Program): Promise<void> {
  const files = [{ remoteName: origin.url('/small'), localName: `${daemon.files}/wake-small` }]
  const { job } = await program.call('job.create', { displayName: 'wakes', resume: true, files })
  await program.call('job.wait', { jobId: job.id })
  await program.call('job.cancel', { jobId: job.id })
}

function some(few: readonly number[]): readonly number[] {
  const all = rounds(0)
  return all === 0 ? few : Array.from({ length: all }, (_, at) => at + 1)
}

for (const [who, call, few] of [
  ['broker', 'fdatasync', [2, 9, 24]],
  ['broker', 'write', [30]],
  ['worker', 'fdatasync', [1, 3]],
  ['worker', 'fsync', [1]],
  ['worker', 'rename', [1, 2]],
  ['worker', 'unlink', [1]],
  ['worker', 'openat', [2]],
  ['worker', 'pwrite64', []],
] as const) {
  const points = some(few)
  if (points.length === 0) continue
  test(`killed at any ${call}, the ${who} loses nothing that was answered`, { skip: needsStrace }, async (t) => {
    t.diagnostic(`seed ${seed}`)
    await killAt(t, who, call, points)
  })
}
