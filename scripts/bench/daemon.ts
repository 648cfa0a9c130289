// The daemon under measurement: compiled once, started fresh with a state of its own, counted whole (broker, worker, and
// workers that ended).
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { connect, type Client } from '../../client-sdk/index.ts'
import { childrenOf, cpuOf, memoryOf, type Sample } from './measure.ts'
import { ended } from './origin.ts'

const root = resolve(import.meta.dirname, '..', '..')
const startLimitMs = 60_000

export interface FileWanted {
  readonly url: string
  readonly path: string
  readonly sha256?: string
}

/** A folder that runs by itself, as it is installed for a service. */
export function compileDaemon(): string {
  const out = mkdtempSync(join(tmpdir(), 'backhaul-bench-build-'))
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', join(root, 'scripts', 'build.ts'), '--out', out, '--bundle-packages'], { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error('the daemon could not be compiled')
  return out
}

export class Daemon {
  readonly folder: string
  readonly socket: string
  readonly #program: string
  readonly #authority: string
  #child: ChildProcess | null = null
  #client: Client | null = null

  constructor(build: string, authority: string) {
    this.folder = mkdtempSync(join(tmpdir(), 'backhaul-bench-'))
    this.socket = join(this.folder, 'sock')
    this.#program = join(build, 'backhauld.js')
    this.#authority = authority
    mkdirSync(join(this.folder, 'state'))
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get client(): Client {
    if (!this.#client) throw new Error('the daemon was not started')
    return this.#client
  }

  get worker(): number | null {
    return childrenOf(this.pid)[0] ?? null
  }

  /** Gives the seconds until the first call was answered. */
  async start(): Promise<number> {
    const lifted = ['jobsPerMachine', 'jobsPerUser', 'filesPerJob'].map((name) => `${name} = 1000000`).join('\n')
    writeFileSync(join(this.folder, 'config.toml'), `[limits]\n${lifted}\n[transfer]\ncertificateAuthorities = ["${this.#authority}"]\n`)
    const begun = performance.now()
    this.#child = spawn(process.execPath, [this.#program, '--mode', 'user', '--socket', this.socket, '--state', join(this.folder, 'state'),
      '--config', join(this.folder, 'config.toml'), '--log-level', 'warn'], { stdio: ['ignore', 'ignore', 'inherit'] })
    await firstAnswer(this.socket, this.#child, begun + startLimitMs)
    const seconds = (performance.now() - begun) / 1000
    this.#client = await connect({ socket: this.socket })
    return seconds
  }

  async stop(): Promise<void> {
    this.#client?.close()
    if (this.#child) await ended(this.#child)
  }

  async close(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** From the first create to the last complete, all jobs at once. */
  async download(jobs: readonly (readonly FileWanted[])[]): Promise<Sample> {
    const cpuBefore = cpuOf(this.pid)
    const begun = performance.now()
    await Promise.all(jobs.map((files) => this.#downloadJob(files)))
    const wall = (performance.now() - begun) / 1000
    const worker = this.worker
    return { wall, cpu: cpuOf(this.pid) - cpuBefore, workerMb: worker === null ? 0 : memoryOf(worker, 'VmHWM') }
  }

  async #downloadJob(files: readonly FileWanted[]): Promise<void> {
    const job = await this.client.createJob({
      displayName: 'bench',
      files: files.map(({ url, path, sha256 }) => ({ remoteName: url, localName: path, ...(sha256 && { checksum: { algorithm: 'sha256', value: sha256 } }) })),
    })
    await job.resume()
    const { job: rested } = await job.wait({ states: ['transferred', 'transient-error', 'error'] })
    if (rested.state !== 'transferred') throw new Error(`a job came into ${rested.state}: ${rested.error?.message}`)
    await job.complete()
  }
}

/** Resolves when a call was answered over the socket. */
export async function firstAnswer(path: string, child: ChildProcess, deadline: number): Promise<void> {
  while (!await answers(path)) {
    if (child.exitCode !== null) throw new Error(`the process ended with ${child.exitCode} before its first answer`)
    if (performance.now() > deadline) throw new Error('no answer within the limit')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path)
    socket.once('connect', () => socket.write('{"jsonrpc":"2.0","id":1,"method":"system.ping"}\n'))
    socket.once('data', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
}
