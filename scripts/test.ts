// Finds the test files, runs them and says how it went. The platform's runner, given a folder, finds no TypeScript tests on
// Node 20 and passes; so the files are listed here, and a run in which nothing ran fails.
// It must know nothing of what is tested. Invariant: exit 0 means that every chosen file ran a test, none failed, and nothing was
// left behind: no process, nothing in the temporary folder that the run was given.
import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { parseArgs } from 'node:util'
import { endLeftovers, endProcess, findLeftovers, type Leftover, listProcesses, markName } from './leftovers.ts'
import { openTemporary } from './temporary-folder.ts'
import { chooseTestFiles, NoSuchTest } from './test-files.ts'
import { countTests, sum, type Tally } from './test-tally.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    root: { type: 'string', default: resolve(import.meta.dirname, '..') },
    'limit-seconds': { type: 'string', default: '300' }, // for one file
    'grace-seconds': { type: 'string', default: '5' }, // in which what was told to end may still do so
  },
})
const root = resolve(values.root)
const lanes = 2
const before = listProcesses()
const mark = randomUUID()
process.env[markName] = mark
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, giveUp)
const temporary = openTemporary()

const tally = await runFiles(filesToRun())
for (const { name, reason } of tally.skipped) console.log(`skipped: ${name} (${reason})`)
const complaints = [...tally.complaints, ...await leftBehind()]
for (const complaint of complaints) console.log(`failed: ${complaint}`)
const failed = tally.failed + complaints.length
console.log(`${tally.passed} passed, ${failed} failed, ${tally.skipped.length} skipped`)
process.exit(failed === 0 && tally.passed > 0 ? 0 : 1)

function filesToRun(): string[] {
  try {
    return chooseTestFiles(root, positionals)
  } catch (error) {
    if (!(error instanceof NoSuchTest)) throw error
    console.log(`failed: ${error.message}\n0 passed, 1 failed, 0 skipped`)
    process.exit(1)
  }
}

async function runFiles(paths: readonly string[]): Promise<Tally> {
  const waiting = paths.map((path) => join(root, path))
  const tallies: Tally[] = []
  const lane = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) tallies.push(await runFile(file))
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return sum(tallies)
}

// One run for each file, since only a run's signal ends a file that hangs, whatever the version of node.
async function runFile(file: string): Promise<Tally> {
  const events = run({ files: [file], signal: AbortSignal.timeout(Number(values['limit-seconds']) * 1000) })
  const tally = countTests(events, relative(process.cwd(), file))
  let output = ''
  for await (const text of events.compose(new spec())) output += String(text)
  const lines = output.split('\n').filter((line) => !/^\S* ?ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(line))
  console.log(`${relative(root, file)}\n${lines.join('\n').trimEnd()}\n`)
  return tally()
}

// The temporary folder was empty at first, so what lies in it afterwards is the tests'.
async function leftBehind(): Promise<string[]> {
  const processes = await waitForNoLeftovers()
  for (const { pid } of processes) endProcess(pid)
  const folders = readdirSync(temporary).filter((name) => !/^(tsx|esbuild|node-compile-cache)/.test(name))
  return [
    ...processes.map(({ pid, command }) => `process ${pid} was left behind: ${command}`),
    ...folders.map((name) => `${name} was left behind in the temporary folder`),
  ]
}

async function waitForNoLeftovers(): Promise<Leftover[]> {
  const deadline = performance.now() + Number(values['grace-seconds']) * 1000
  for (;;) {
    const found = findLeftovers({ mark, root, before })
    if (found.length === 0 || performance.now() > deadline) return found
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function giveUp(): void {
  endLeftovers({ mark, root, before })
  process.exit(130)
}
