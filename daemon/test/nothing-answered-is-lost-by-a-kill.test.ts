// Kill -9 of the daemon, of its worker, or of both, at random moments of a mixed session; then the client's record is compared
// with what is there. `scripts/torture.ts` runs it many times.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Daemon } from './support/daemon.ts'
import { judge } from './support/judge.ts'
import { startMixedOrigin } from './support/mixed-origin.ts'
import { Chance, rounds, seed, sessions } from './support/seed.ts'
import { remembersAll, Session } from './support/session.ts'

const { origin, paths, bodies } = await startMixedOrigin()
after(() => origin.close())

for (const { number, name, rounds: count } of sessions(rounds(6))) test(`after kill -9 at any moment all that was answered holds${name}`, async (t) => {
  t.diagnostic(`seed ${seed + number}`)
  const chance = new Chance(seed + number)
  const daemon = await Daemon.start({ config: `${remembersAll}[transfer]\nbackgroundSlots = 8\n\n[callbacks]\nretrySeconds = 0.1\n` })
  t.after(() => daemon.close())
  const session = new Session({ origin, paths, folder: daemon.files, chance })
  let slowestMs = 0
  for (let round = 0; round < count; round++) {
    const victim = chance.of(['daemon', 'daemon', 'worker', 'both'] as const)
    const program = await session.connect(daemon.socket)
    const afterMs = chance.below(2500)
    let isOver = false
    const running = session.run(program, () => isOver)
    await new Promise((resolve) => { setTimeout(resolve, afterMs) })
    if (victim !== 'daemon') for (const pid of daemon.workers()) process.kill(pid, 'SIGKILL')
    if (victim !== 'worker') {
      await daemon.kill9()
      await program.closed()
    } else isOver = true
    await running
    program.close()
    const from = performance.now()
    if (victim !== 'worker') await daemon.start()
    slowestMs = Math.max(slowestMs, performance.now() - from)
    const witness = await session.connect(daemon.socket)
    assert.deepEqual(await judge(session, witness, bodies), [], `seed ${seed + number}, round ${round}, ${victim} after ${afterMs} ms`)
    witness.close()
  }
  const program = await session.connect(daemon.socket)
  await session.finish(program)
  assert.deepEqual(await judge(session, program, bodies), [], `seed ${seed + number}, at the end`)
  program.close()
  t.diagnostic(`${session.notes.length} jobs, ${session.answered} answers, slowest start ${Math.round(slowestMs)} ms`)
  assert.doesNotMatch(daemon.said, /damaged|"a defect/)
})
