// How fast calls are answered: one after another, from many at once, without waiting for the answer, and while a file is
// fetched at full speed. The client counts lines and parses nothing, so that it is the daemon that is measured.
import net from 'node:net'
import { join } from 'node:path'
import { rmSync } from 'node:fs'
import type { Daemon } from './daemon.ts'
import type { Sample } from './measure.ts'
import { ours, type Contestant, type Workload } from './workload.ts'

const newline = 10

/** Calls for as long, with so many under way at any moment. */
async function callFor(path: string, line: string, ms: number, underWay: number): Promise<{ calls: number; latencies: number[] }> {
  const socket = net.connect(path)
  const sentAt: number[] = []
  const latencies: number[] = []
  let last: Buffer = Buffer.alloc(0)
  const lost = new Promise<never>((_, reject) => {
    const fail = (why: string): void => reject(new Error(`the daemon's connection was lost after ${latencies.length} answers: ${why}; the last one: ${last.toString().slice(-500)}`))
    socket.once('error', ({ message }) => fail(message))
    socket.once('close', () => fail('it was closed'))
  })
  await Promise.race([lost, new Promise((resolve) => socket.once('connect', resolve))])
  const end = performance.now() + ms
  const send = (count: number): void => {
    for (let at = 0; at < count; at++) sentAt.push(performance.now())
    socket.write(line.repeat(count))
  }
  let first = 0
  await Promise.race([lost, new Promise<void>((resolve) => {
    socket.on('data', (bytes: Buffer) => {
      const now = performance.now()
      last = bytes
      let answered = 0
      for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) {
        latencies.push(now - (sentAt[first++] ?? now))
        answered++
      }
      if (now < end) send(answered)
      else if (first === sentAt.length) resolve()
    })
    send(underWay)
  })])
  socket.destroy()
  return { calls: latencies.length, latencies }
}

async function figures(path: string, line: string, ms: number, connections: number, underWay: number): Promise<Sample> {
  const begun = performance.now()
  const all = await Promise.all(Array.from({ length: connections }, () => callFor(path, line, ms, underWay)))
  const seconds = (performance.now() - begun) / 1000
  const latencies = all.flatMap((each) => each.latencies).sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? NaN
  return { perSecond: latencies.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(0.99999) }
}

const ping = '{"jsonrpc":"2.0","id":1,"method":"system.ping"}\n'

async function getLine(daemon: Daemon): Promise<string> {
  const { id } = await daemon.client.createJob({ displayName: 'looked at' })
  return `{"jsonrpc":"2.0","id":1,"method":"job.get","params":{"jobId":"${id}"}}\n`
}

function rpc(name: string, title: string, goals: Workload['goals'], connections: number, underWay: number): Workload {
  return { name, title, goals, async contestants(bench) {
    const daemon = await bench.daemon()
    const get = await getLine(daemon)
    const run = (line: string) => () => figures(daemon.socket, line, 1500, connections, underWay)
    return [{ name: ours, run: run(ping) }, { name: 'job.get', run: run(get) }]
  } }
}

const whileFetching: Workload = {
  name: 'rpc-busy', title: 'job.get on one connection while a file is fetched at full speed (and, to compare, without)', goals: [{ figure: 'p99Ms', atMost: 1 }],
  async contestants(bench) {
    const daemon = await bench.daemon()
    bench.origin.file('large', Math.round(2048 * bench.scale) * 1024 * 1024, true)
    const get = await getLine(daemon)
    const path = join(bench.inMemory(), 'large')
    const busy: Contestant = { name: ours, async run() {
      let isOver = false
      const fetching = (async () => {
        for (; !isOver; rmSync(path)) await daemon.download([[{ url: `${bench.origin.http}/large`, path }]])
      })()
      await new Promise((resolve) => setTimeout(resolve, 200))
      const sample = await figures(daemon.socket, get, 3000, 1, 1)
      isOver = true
      await fetching
      return sample
    } }
    return [{ name: 'idle', run: () => figures(daemon.socket, get, 1000, 1, 1) }, busy]
  },
}

export const callWorkloads: readonly Workload[] = [
  rpc('rpc-1', 'system.ping, one connection, one at a time (and job.get)', [], 1, 1),
  rpc('rpc-50', 'system.ping, 50 connections (and job.get)', [], 50, 1),
  rpc('rpc-pipelined', 'system.ping, one connection, 128 under way (and job.get)', [{ figure: 'perSecond', atLeast: 30_000 }], 1, 128),
  whileFetching,
]
