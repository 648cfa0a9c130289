import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Daemon, roomForJobs, until } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'
import { Program, startJob } from './support/program.ts'

const rounds = Number(process.env['BACKHAUL_TEST_ROUNDS'] ?? 40)
const seed = Number(process.env['BACKHAUL_TEST_SEED'] ?? Math.floor(Math.random() * 1e9))
const daemon = await Daemon.start({ config: roomForJobs + '[callbacks]\nretrySeconds = 0.02\nretryMaximumSeconds = 0.2\n' })
const origin = await startOrigin()
origin.route('/file', { body: Buffer.alloc(2000, 3) })
after(async () => {
  await origin.close()
  await daemon.close()
})

interface Line {
  readonly method: string
  readonly deliveryId: string
  readonly sequence: number
  readonly jobId: string
  readonly answer: 'result' | 'error' | 'death'
}

let state = seed
function random(): number {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31
  return state / 2 ** 31
}
const log = join(daemon.folder, 'told.log')
// A line that was being written when its program was killed is no line.
const lines = (): Line[] => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : []).map((line) => JSON.parse(line) as Line)

let client: ChildProcess | null = null
/** @param deaths how often it dies of a call instead of answering */
function startClient(deaths: number): void {
  const program = join(import.meta.dirname, 'support', 'logging-program.ts')
  client = spawn(process.execPath, ['--import', 'tsx', program, daemon.socket, log, String(Math.floor(random() * 1e9)), String(deaths)], { stdio: ['ignore', 'ignore', 'inherit'] })
}
const isRunning = (child: ChildProcess | null): boolean => child !== null && child.exitCode === null && child.signalCode === null

async function endClient(): Promise<void> {
  const ending = client
  client = null
  if (!ending || !isRunning(ending)) return
  const exit = once(ending, 'exit')
  ending.kill('SIGKILL')
  await exit
}

const files = 2
async function makeJobs(count: number): Promise<string[]> {
  const program = Program.open(daemon.socket)
  const urls = Array.from({ length: files }, (_, at) => `${origin.url('/file')}?${at}`)
  try {
    return await Promise.all(Array.from({ length: count }, () => startJob(program, { urls, folder: daemon.files, events: ['transferred', 'error', 'file-transferred'] })))
  } finally {
    program.close()
  }
}

test(`no event is lost however often daemon and program are killed (seed ${seed})`, { timeout: 300_000 }, async (t) => {
  const jobIds: string[] = []
  t.after(endClient)
  for (let round = 0; round < rounds; round++) {
    jobIds.push(...await makeJobs(2))
    // Killed while it is being told, not before it has even connected.
    const enough = lines().length + 1 + Math.floor(random() * 8)
    await until(() => {
      if (!isRunning(client)) startClient(0.1)
      return lines().length >= enough
    }, `calls in round ${round}`, 30_000)
    const fate = random()
    if (fate < 0.6) await daemon.kill9()
    if (fate > 0.4) await endClient()
    if (fate < 0.6) await daemon.start()
  }
  const isTold = (): boolean => {
    const acknowledged = new Set(lines().filter(({ answer }) => answer === 'result').map(({ deliveryId, jobId }) => `${jobId} ${deliveryId}`))
    const perJob = new Map<string, number>()
    for (const [jobId = ''] of [...acknowledged].map((key) => key.split(' '))) perJob.set(jobId, (perJob.get(jobId) ?? 0) + 1)
    return jobIds.every((id) => perJob.get(id) === files + 1)
  }
  await endClient()
  startClient(0)
  await until(isTold, 'every event of every job acknowledged', 120_000)
  await endClient()

  const told = lines()
  // What the test is about has happened: programs died of calls, of those about files too.
  assert.ok(told.some(({ answer, method }) => answer === 'death' && method === 'callback.fileTransferred'), 'no program died of a call')
  const deliveryOf = new Map<number, string>()
  for (const jobId of jobIds) {
    const first = told.filter((line) => line.jobId === jobId).filter((line, at, all) => all.findIndex(({ deliveryId }) => deliveryId === line.deliveryId) === at)
    assert.deepEqual(first.map(({ method }) => method.slice(9)), [...Array.from({ length: files }, () => 'fileTransferred'), 'jobTransferred'], jobId)
    assert.ok(first.every(({ sequence }, at) => at === 0 || sequence > (first[at - 1]?.sequence ?? 0)), 'the sequence goes back')
  }
  for (const { sequence, deliveryId } of told) {
    assert.equal(deliveryOf.get(sequence) ?? deliveryId, deliveryId, `two events have the sequence number ${sequence}`)
    deliveryOf.set(sequence, deliveryId)
  }
  // A file that was acknowledged is told again only where the daemon was killed before that was on disk.
  const program = Program.open(daemon.socket)
  t.after(() => program.close())
  const { replayed } = await program.register({ all: true })
  assert.equal(replayed, jobIds.length)
  await program.toldOf(jobIds.length)
  assert.ok(program.told.every(({ method }) => method === 'callback.jobTransferred'))
})
