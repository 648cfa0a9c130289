// Measures the compiled daemon beside curl and aria2, in turns, on this machine, and says which of the goals hold.
// Prints one table and writes one JSON file. Every number comes from the run; nothing is remembered from another.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { callWorkloads } from './bench/calls.ts'
import { compileDaemon, Daemon } from './bench/daemon.ts'
import { fileWorkloads } from './bench/files.ts'
import { linkWorkloads } from './bench/links.ts'
import { startOrigin, type Origin } from './bench/origin.ts'
import { queueWorkloads } from './bench/queue.ts'
import { rowsOf } from './bench/table.ts'
import { measure, type Bench, type Result } from './bench/workload.ts'

const workloads = [...fileWorkloads, ...linkWorkloads, ...callWorkloads, ...queueWorkloads]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    json: { type: 'string', default: 'bench-result.json' },
    build: { type: 'string' },
    disk: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
})
const unknown = positionals.filter((name) => !workloads.some((each) => each.name === name))
if (values.help || unknown.length > 0) {
  console.log(`npm run bench -- [WORKLOAD…] [--rounds 5] [--scale 1] [--json FILE] [--build DIR] [--disk DIR]

  --scale    sizes and counts, as a share of the full ones
  --build    a daemon that was compiled already (build.ts --bundle-packages --out DIR)
  --disk     a folder on the disk to be measured

${workloads.map(({ name, title }) => `  ${name.padEnd(14)} ${title}`).join('\n')}`)
  process.exit(unknown.length > 0 ? 2 : 0)
}

const chosen = workloads.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const build = values.build === undefined ? compileDaemon() : resolve(values.build)
const origin = await startOrigin()
// What was started ends with the script, in order or not.
const ends: (() => Promise<void>)[] = [() => origin.close()]
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Promise.all(ends.map((end) => end())).finally(() => process.exit(130)))
}
const results: Result[] = []
try {
  for (const workload of chosen) {
    const { bench, end } = openBench(origin)
    ends[1] = end
    try {
      results.push(await measure(workload, bench, Number(values.rounds)))
      for (const row of rowsOf(results.at(-1))) console.log(row)
    } finally {
      await end()
    }
  }
} finally {
  await origin.close()
  if (values.build === undefined) rmSync(build, { recursive: true })
}
const machine = { processors: cpus().length, model: cpus()[0]?.model, kernel: release(), node: process.version }
writeFileSync(values.json, `${JSON.stringify({ machine, rounds: Number(values.rounds), scale: Number(values.scale), results }, null, 1)}\n`)
const goals = results.flatMap((result) => result.goals)
console.log(`${goals.filter(({ met }) => met).length} of ${goals.length} goals met; figures in ${values.json}`)

/** What one workload uses, and how to end all of it. */
function openBench(origin: Origin): { bench: Bench; end: () => Promise<void> } {
  const acts: (() => Promise<void> | void)[] = []
  const folder = (parent: string): string => {
    const path = mkdtempSync(join(parent, 'backhaul-bench-'))
    acts.push(() => rmSync(path, { recursive: true, force: true }))
    return path
  }
  const bench: Bench = {
    origin, build, scale: Number(values.scale),
    onDisk: () => folder(values.disk),
    inMemory: () => folder('/dev/shm'),
    atEnd: (act) => void acts.push(act),
    async daemon() {
      const daemon = new Daemon(build, origin.authority)
      acts.push(() => daemon.close())
      await daemon.start()
      return daemon
    },
  }
  const end = async (): Promise<void> => {
    const failed: unknown[] = []
    // One that fails, as removing a folder that is still written to, must not keep the others from being ended.
    for (const act of acts.reverse()) await Promise.resolve().then(act).catch((error: unknown) => failed.push(error))
    if (failed.length > 0) throw failed[0]
  }
  return { bench, end }
}
