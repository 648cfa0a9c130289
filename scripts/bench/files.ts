// The workloads that move files over loopback: one large one, many, very many small ones.
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { FileWanted } from './daemon.ts'
import { runMeasured, type Sample } from './measure.ts'
import { ours, type Bench, type Contestant, type Goal, type Workload } from './workload.ts'

const mebibyte = 1024 * 1024

export const aria2 = ['aria2c', '--no-conf', '-q', '--allow-overwrite=true', '--auto-file-renaming=false', '--file-allocation=none']

/**
 * Runs, looks whether as many bytes are there as there should be, and removes them; or keeps them until the end, where there are
 * thousands: ext4 searches long for an inode while many were freed within the last seconds.
 */
export function intoFolder(name: string, folder: string, bytes: number, run: () => Promise<Sample>, keep = false): Contestant {
  return { name, async run() {
    mkdirSync(folder, { recursive: true })
    // What the one before left to be written back is not this one's cost, and a virtual machine's host gives memory that it
    // had taken back only when it is touched: that would be paid by whoever comes first.
    spawnSync('sync')
    touchMemory(bytes)
    const sample = await run()
    const found = readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
    if (found !== bytes) throw new Error(`${name} left ${found} bytes instead of ${bytes}`)
    if (keep) renameSync(folder, `${folder}-${name}-${++keptFolders}`)
    else rmSync(folder, { recursive: true })
    return sample
  } }
}

let keptFolders = 0

function touchMemory(bytes: number): void {
  const path = `/dev/shm/backhaul-bench-touch-${process.pid}`
  const piece = Buffer.alloc(mebibyte)
  const fd = openSync(path, 'w')
  for (let done = 0; done < bytes; done += piece.length) writeSync(fd, piece)
  closeSync(fd)
  rmSync(path)
}

function oneFile(name: string, where: 'onDisk' | 'inMemory', scheme: 'http' | 'https', goals: readonly Goal[]): Workload {
  return {
    name, title: `one 2 GiB file, ${scheme} → ${where === 'onDisk' ? 'ext4' : 'tmpfs'}`, goals,
    async contestants(bench) {
      const bytes = Math.round(2048 * bench.scale) * mebibyte
      bench.origin.file('large', bytes, true)
      const daemon = await bench.daemon()
      const folder = join(bench[where](), 'out')
      const [path, url] = [join(folder, 'large'), `${bench.origin[scheme]}/large`]
      const theirs: Contestant[] = [
        intoFolder('curl', folder, bytes, () => runMeasured(['curl', '-sf', '--cacert', bench.origin.authority, '-o', path, url])),
        intoFolder('aria2', folder, bytes, () => runMeasured([...aria2, '-x1', `--ca-certificate=${bench.origin.authority}`, '-d', folder, url])),
      ]
      // For comparison only: ours is flushed when it says that it is done.
      const flushed = intoFolder('curl, then sync', folder, bytes, () => runMeasured(['sh', '-c', `curl -sf -o '${path}' ${url} && sync '${path}'`]))
      return [...theirs, ...(where === 'onDisk' ? [flushed] : []), intoFolder(ours, folder, bytes, () => daemon.download([[{ url, path }]]))]
    },
  }
}

const withChecksum: Workload = {
  name: 'sha256', title: 'one 2 GiB file, http → tmpfs, with its sha256', goals: [{ figure: 'wall', against: 'curl; sha256sum', atMost: 0.5 }],
  async contestants(bench) {
    const bytes = Math.round(2048 * bench.scale) * mebibyte
    const sha256 = bench.origin.file('large', bytes, true)
    const daemon = await bench.daemon()
    const folder = join(bench.inMemory(), 'out')
    const [path, url] = [join(folder, 'large'), `${bench.origin.http}/large`]
    const theirs = ['sh', '-c', `curl -sf -o '${path}' ${url} && sha256sum '${path}'`]
    return [
      intoFolder('curl; sha256sum', folder, bytes, () => runMeasured(theirs)),
      intoFolder(ours, folder, bytes, () => daemon.download([[{ url, path, sha256 }]])),
    ]
  },
}

interface Many {
  readonly bench: Bench
  readonly folder: string
  readonly count: number
  readonly bytes: number
  readonly jobs: number
}

/** Lists for those who take one, and jobs for us. */
function manyFiles({ bench, folder, count, bytes, jobs }: Many): { curl: string; aria2: string; jobs: FileWanted[][] } {
  const names = Array.from({ length: count }, (_, at) => `${bytes}-${at}`)
  for (const name of names) bench.origin.file(name, bytes)
  const wanted = names.map((name) => ({ url: `${bench.origin.http}/${name}`, path: join(folder, name) }))
  const lists = bench.inMemory()
  const [curl, aria2] = [join(lists, 'curl'), join(lists, 'aria2')]
  writeFileSync(curl, wanted.map(({ url, path }) => `url="${url}"\noutput="${path}"\n`).join(''))
  writeFileSync(aria2, wanted.map(({ url }) => `${url}\n`).join(''))
  const each = Math.ceil(count / jobs)
  return { curl, aria2, jobs: Array.from({ length: jobs }, (_, at) => wanted.slice(at * each, (at + 1) * each)) }
}

const manyMiddling: Workload = {
  name: 'many', title: '200 × 10 MiB as one job, http → tmpfs',
  goals: [{ figure: 'wall', against: 'curl -K', atMost: 1.05 }, { figure: 'wall', against: 'aria2 -j5', atMost: 0.5 }],
  async contestants(bench) {
    const [count, bytes, folder] = [Math.round(200 * bench.scale), 10 * mebibyte, join(bench.inMemory(), 'out')]
    const lists = manyFiles({ bench, folder, count, bytes, jobs: 1 })
    const daemon = await bench.daemon()
    return [
      intoFolder('curl -K', folder, count * bytes, () => runMeasured(['curl', '-sf', '-K', lists.curl])),
      intoFolder('aria2 -j5', folder, count * bytes, () => runMeasured([...aria2, '-j5', '-i', lists.aria2, '-d', folder])),
      intoFolder(ours, folder, count * bytes, () => daemon.download(lists.jobs)),
    ]
  },
}

const verySmall: Workload = {
  name: 'small', title: '10,000 × 16 KiB as 50 jobs of 200, http → ext4',
  goals: [{ figure: 'wall', against: 'curl -Z', atMost: 2 }, { figure: 'wall', against: 'aria2 -j16', atMost: 0.3 }],
  async contestants(bench) {
    const [count, bytes, folder] = [Math.round(10_000 * bench.scale), 16 * 1024, join(bench.onDisk(), 'out')]
    const lists = manyFiles({ bench, folder, count, bytes, jobs: 50 })
    const daemon = await bench.daemon()
    return [
      intoFolder('curl -Z', folder, count * bytes, () => runMeasured(['curl', '-sf', '-Z', '-K', lists.curl]), true),
      intoFolder('aria2 -j16', folder, count * bytes, () => runMeasured([...aria2, '-j16', '-i', lists.aria2, '-d', folder]), true),
      intoFolder(ours, folder, count * bytes, () => daemon.download(lists.jobs), true),
    ]
  },
}

function both(curl: readonly [number, number], aria2: readonly [number, number]): Goal[] {
  const worker: Goal = { figure: 'workerMb', atMost: 70 }
  return [
    { figure: 'wall', against: 'curl', atMost: curl[0] }, { figure: 'cpu', against: 'curl', atMost: curl[1] },
    { figure: 'wall', against: 'aria2', atMost: aria2[0] }, { figure: 'cpu', against: 'aria2', atMost: aria2[1] }, worker,
  ]
}

export const fileWorkloads: readonly Workload[] = [
  oneFile('disk', 'onDisk', 'http', both([0.8, 0.8], [0.55, 0.6])),
  oneFile('memory', 'inMemory', 'http', both([1.05, 1.1], [0.65, 0.65])),
  oneFile('tls', 'inMemory', 'https', both([1.1, 1.15], [1, 1])),
  withChecksum, manyMiddling, verySmall,
]
