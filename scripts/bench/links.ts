// The workloads over a link that is slow or far: a relay in user space between the origin and whoever downloads.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { aria2, intoFolder } from './files.ts'
import { runMeasured, type Sample } from './measure.ts'
import { ended } from './origin.ts'
import { ours, type Bench, type Workload } from './workload.ts'

const mebibyte = 1024 * 1024
const gibibyte = 1024 * mebibyte

interface Link {
  readonly delayMs: number
  readonly megabits: number
  readonly windowBytes?: number
}

const slow: Link = { delayMs: 20, megabits: 100 }
/** A window that is usual where nobody has tuned anything: one connection gets a fifth of the link. */
const far: Link = { delayMs: 50, megabits: 100, windowBytes: 256 * 1024 }

async function openLink(bench: Bench, { delayMs, megabits, windowBytes }: Link): Promise<string> {
  const program = resolve(import.meta.dirname, 'relay.ts')
  const given = [bench.origin.httpPort, delayMs, megabits, ...(windowBytes === undefined ? [] : [windowBytes])].map(String)
  const relay = spawn(process.execPath, ['--import', 'tsx', program, ...given], { cwd: resolve(program, '..', '..', '..'), stdio: ['ignore', 'pipe', 'inherit'] })
  bench.atEnd(() => ended(relay))
  const [port] = await once(relay.stdout, 'data') as [Buffer]
  return `http://127.0.0.1:${port.toString().trim()}`
}

const slowLink: Workload = {
  name: 'slow', title: `a ${slow.megabits} Mbit/s link with ${2 * slow.delayMs} ms, seconds of processor for each GiB`,
  goals: [{ figure: 'cpuPerGiB', against: 'curl', atMost: 0.3 }, { figure: 'cpuPerGiB', against: 'aria2', atMost: 0.3 }, { figure: 'share', atLeast: 0.97 }],
  async contestants(bench) {
    const bytes = Math.round(96 * bench.scale) * mebibyte
    bench.origin.file('slow', bytes)
    const url = `${await openLink(bench, slow)}/slow`
    const folder = join(bench.inMemory(), 'out')
    const daemon = await bench.daemon()
    const seen = (sample: Sample): Sample => ({
      ...sample, cpuPerGiB: (sample['cpu'] ?? NaN) * gibibyte / bytes, share: bytes * 8 / 1e6 / slow.megabits / (sample['wall'] ?? NaN),
    })
    return [
      intoFolder('curl', folder, bytes, async () => seen(await runMeasured(['curl', '-sf', '-o', join(folder, 'slow'), url]))),
      intoFolder('aria2', folder, bytes, async () => seen(await runMeasured([...aria2, '-x1', '-d', folder, url]))),
      intoFolder(ours, folder, bytes, async () => seen(await daemon.download([[{ url, path: join(folder, 'slow') }]]))),
    ]
  },
}

const farLink: Workload = {
  name: 'far', title: `a ${far.megabits} Mbit/s link with ${2 * far.delayMs} ms of which one connection gets a fifth`,
  goals: [{ figure: 'wall', against: 'aria2 -x16', atMost: 1 }],
  async contestants(bench) {
    const bytes = Math.round(96 * bench.scale) * mebibyte
    bench.origin.file('far', bytes)
    const url = `${await openLink(bench, far)}/far`
    const folder = join(bench.inMemory(), 'out')
    const daemon = await bench.daemon()
    return [
      intoFolder('aria2 -x16', folder, bytes, () => runMeasured([...aria2, '-x16', '-s16', '-k1M', '-d', folder, url])),
      intoFolder(ours, folder, bytes, () => daemon.download([[{ url, path: join(folder, 'far') }]])),
    ]
  },
}

export const linkWorkloads: readonly Workload[] = [slowLink, farLink]
