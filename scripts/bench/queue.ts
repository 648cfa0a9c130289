// What the daemon costs by being there: its start, its memory and processor when idle, and a full queue: listed, and loaded.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '../../client-sdk/index.ts'
import { Daemon, firstAnswer } from './daemon.ts'
import { cpuOf, memoryOf } from './measure.ts'
import { accepts, ended, freePort } from './origin.ts'
import { ours, type Bench, type Contestant, type Workload } from './workload.ts'

const bareProgram = `require('node:net').createServer((socket) => socket.on('data', () => socket.write('{}\\n'))).listen(process.argv[1])`

const firstAnswers: Workload = {
  name: 'start', title: 'from the start of the process to the first answer, and two seconds later', goals: [
    { figure: 'first', against: 'bare node', atMost: 2.5 }, { figure: 'idleMb', atMost: 75 }, { figure: 'idleCpu', atMost: 0 },
  ],
  async contestants(bench) {
    const bare: Contestant = { name: 'bare node', async run() {
      const folder = mkdtempSync(join(tmpdir(), 'backhaul-bench-'))
      const begun = performance.now()
      const child = spawn(process.execPath, ['-e', bareProgram, join(folder, 'sock')], { stdio: 'ignore' })
      await firstAnswer(join(folder, 'sock'), child, begun + 10_000)
      const first = (performance.now() - begun) / 1000
      const idleMb = memoryOf(child.pid ?? 0, 'VmRSS')
      await ended(child)
      rmSync(folder, { recursive: true })
      return { first, idleMb, idleCpu: 0 }
    } }
    const run = async (): Promise<Record<string, number>> => {
      const daemon = new Daemon(bench.build, bench.origin.authority)
      try {
        const first = await daemon.start()
        await pause(1500)
        const before = cpuOf(daemon.pid)
        await pause(2000)
        return { first, idleMb: memoryOf(daemon.pid, 'VmRSS'), idleCpu: cpuOf(daemon.pid) - before }
      } finally {
        await daemon.close()
      }
    }
    return [bare, { name: ours, run }]
  },
}

async function fill(client: Client, jobs: number, files: number): Promise<void> {
  for (let made = 0; made < jobs; made += 100) {
    await Promise.all(Array.from({ length: Math.min(100, jobs - made) }, (_, at) => client.createJob({
      displayName: `job ${made + at}`,
      files: Array.from({ length: files }, (_, file) => ({ remoteName: `http://127.0.0.1:9/${made + at}/${file}`, localName: `/tmp/backhaul-bench-never/${made + at}/${file}` })),
    })))
  }
}

/** The start with a queue, beside one without. */
function recovery(name: string, jobs: number, files: number, goals: Workload['goals']): Workload {
  return { name, title: `start with ${jobs} jobs × ${files} files; load: more than with none`, goals, async contestants(bench) {
    const [jobCount, daemon, empty] = [Math.round(jobs * bench.scale), new Daemon(bench.build, bench.origin.authority), new Daemon(bench.build, bench.origin.authority)]
    bench.atEnd(() => daemon.close())
    bench.atEnd(() => empty.close())
    await daemon.start()
    await fill(daemon.client, jobCount, files)
    await daemon.stop()
    return [{ name: ours, async run() {
      const without = await empty.start()
      await empty.stop()
      const first = await daemon.start()
      const idleMb = memoryOf(daemon.pid, 'VmRSS')
      await daemon.stop()
      return { first, load: first - without, idleMb }
    } }]
  } }
}

const listing: Workload = {
  name: 'list', title: 'listing 10,000 jobs', goals: [{ figure: 'wall', against: 'aria2', atMost: 0.3 }],
  async contestants(bench) {
    const count = Math.round(10_000 * bench.scale)
    const daemon = await bench.daemon()
    await fill(daemon.client, count, 1)
    const ask = await startAria2(bench)
    for (let made = 0; made < count; made += 250) {
      const calls = Array.from({ length: Math.min(250, count - made) }, (_, at) => (
        { methodName: 'aria2.addUri', params: [[`http://127.0.0.1:9/${made + at}`], { pause: 'true', out: `${made + at}` }] }))
      await ask('system.multicall', [calls])
    }
    const timed = async (list: () => Promise<number>): Promise<{ wall: number }> => {
      const begun = performance.now()
      const found = await list()
      if (found !== count) throw new Error(`${found} of ${count} jobs were listed`)
      return { wall: (performance.now() - begun) / 1000 }
    }
    return [
      { name: 'aria2', run: () => timed(async () => (await ask('aria2.tellWaiting', [0, count]) as unknown[]).length) },
      { name: ours, run: () => timed(async () => {
        let found = 0
        for await (const _ of daemon.client.listJobs({ pageSize: 1000 })) found++
        return found
      }) },
    ]
  },
}

async function startAria2(bench: Bench): Promise<(method: string, params: unknown[]) => Promise<unknown>> {
  const port = await freePort()
  const child = spawn('aria2c', ['--no-conf', '-q', '--enable-rpc', `--rpc-listen-port=${port}`, '--rpc-max-request-size=64M', '-d', bench.inMemory()], { stdio: 'ignore' })
  bench.atEnd(() => ended(child))
  await accepts(port, child)
  return async (method, params) => {
    const answer = await fetch(`http://127.0.0.1:${port}/jsonrpc`, { method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) })
    const { result, error } = await answer.json() as { result?: unknown; error?: { message: string } }
    if (error) throw new Error(`aria2: ${error.message}`)
    return result
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export const queueWorkloads: readonly Workload[] = [
  firstAnswers, listing,
  recovery('recovery', 300, 200, []),
  recovery('load', 10_000, 10, [{ figure: 'load', atMost: 0.5 }]),
]
