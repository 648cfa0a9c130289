// The tests that kill the daemon, cut its power, fail its disk and damage its queue, many times over: for release gates. They are
// the same tests that `npm test` runs a few rounds of; here they are told how many, and the seed to begin with, which is printed.
//   npx tsx scripts/torture.ts [--rounds 200] [--seed 1] [--only power]
// For system calls a round is one more n at which a call is the last, or fails. Exit 0 only if nothing failed.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { endLeftovers, listProcesses, markName } from './leftovers.ts'
import { openTemporary } from './temporary-folder.ts'

const tests = [
  'nothing-answered-is-lost-by-a-kill',
  'nothing-answered-is-lost-at-any-system-call',
  'nothing-answered-is-lost-by-a-power-cut',
  'a-disk-that-fails-loses-nothing-answered',
  'a-damaged-queue-is-never-silently-empty',
]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    only: { type: 'string', default: '' }, // part of a name
  },
})
const root = resolve(import.meta.dirname, '..')
const chosen = tests.filter((name) => name.includes(values.only))
if (chosen.length === 0 || !/^[1-9]\d*$/.test(values.rounds) || !/^\d+$/.test(values.seed)) {
  console.error(`torture: --rounds and --seed are numbers, --only is part of one of ${tests.join(', ')}`)
  process.exit(2)
}

const mark = randomUUID()
const before = listProcesses()
openTemporary()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, giveUp)

console.log(`seed ${values.seed}, ${values.rounds} rounds`)
const failed: string[] = []
for (const name of chosen) if (await run(name) !== 0) failed.push(name)
console.log(failed.length === 0 ? 'nothing failed' : `failed with seed ${values.seed}: ${failed.join(', ')}`)
process.exit(failed.length === 0 ? 0 : 1)

function run(name: string): Promise<number | null> {
  const file = join(root, 'daemon', 'test', `${name}.test.ts`)
  const env = { ...process.env, BACKHAUL_TORTURE_ROUNDS: values.rounds, BACKHAUL_TORTURE_SEED: values.seed, [markName]: mark }
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), '--test', '--test-reporter', 'spec', file], { cwd: root, env, stdio: 'inherit' })
  return new Promise((done) => { child.once('exit', (code) => done(code)) })
}

/** A test that is killed leaves its daemon, and what its daemon began to do for it. */
function giveUp(): void {
  endLeftovers({ mark, root, before })
  // Whose parent has just ended.
  endLeftovers({ mark, root, before })
  process.exit(130)
}
