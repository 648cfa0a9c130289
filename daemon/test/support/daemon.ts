// The real daemon as a process, with all that it keeps in a scratch folder that every user may pass through: for tests of the
// whole service. What a test opens here is closed with it; nothing is left behind.
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { RawClient, type Identity } from './raw-client.ts'

export interface DaemonOptions {
  readonly mode?: 'user' | 'system'
  readonly config?: string
  readonly environment?: Readonly<Record<string, string>>
  /** Its state lies here instead of in the scratch folder. */
  readonly state?: string
  readonly flags?: readonly string[]
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export const program = resolve(import.meta.dirname, '..', '..', 'backhauld.js')
const startLimitMs = 30_000

/** For tests that make more jobs than somebody who is not root may have. */
export const roomForJobs = '[limits]\njobsPerUser = 1000\njobsPerMachine = 1000\n'

export const isRoot = process.getuid?.() === 0
export const needsRoot = isRoot && process.platform === 'linux' ? false : 'needs root on Linux to be several users'
/** Users that need no entry in the user database; beyond those of this machine. */
export const alice: Identity = { uid: 61_001, gid: 61_001 }
export const bob: Identity = { uid: 61_002, gid: 61_002 }

export class Daemon {
  readonly folder: string
  readonly socket: string
  readonly state: string
  readonly config: string
  /** Where tests let files be downloaded to. */
  readonly files: string
  /** Everything it said on stderr since it was made. */
  said = ''
  #options: DaemonOptions
  #child: ChildProcess | null = null
  readonly #clients: RawClient[] = []

  private constructor(options: DaemonOptions) {
    this.#options = options
    this.folder = mkdtempSync(join(tmpdir(), 'backhaul-test-'))
    chmodSync(this.folder, 0o755)
    this.socket = join(this.folder, 'sock')
    this.state = options.state ?? join(this.folder, 'state')
    this.config = join(this.folder, 'config.toml')
    this.files = join(this.folder, 'files')
    mkdirSync(this.files)
    chmodSync(this.files, 0o777)
    writeFileSync(this.config, options.config ?? '')
  }

  static make(options: DaemonOptions = {}): Daemon {
    return new Daemon(options)
  }

  static async start(options: DaemonOptions = {}): Promise<Daemon> {
    const daemon = new Daemon(options)
    try {
      await daemon.start()
      return daemon
    } catch (error) {
      await daemon.close()
      throw error
    }
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Resolves when it accepts. */
  async start(more: DaemonOptions = {}): Promise<void> {
    this.launch(more)
    const child = this.#child
    const end = performance.now() + startLimitMs
    while (!await answers(this.socket)) {
      if (child?.exitCode !== null || child.signalCode !== null) throw new Error(`the daemon ended at its start:\n${this.said.slice(-4000)}`)
      if (performance.now() > end) throw new Error(`the daemon did not come up:\n${this.said.slice(-4000)}`)
      await pause(15)
    }
  }

  /** Starts it and waits for nothing. */
  launch(more: DaemonOptions = {}): void {
    this.#options = { ...this.#options, ...more }
    const { mode = 'user', flags = [], environment = {} } = this.#options
    const given: Record<string, string | undefined> = { ...process.env, XDG_RUNTIME_DIR: this.folder, XDG_CONFIG_HOME: this.folder, XDG_STATE_HOME: this.folder, ...environment }
    for (const name of ['BACKHAUL_SOCKET', 'BACKHAUL_STATE', 'BACKHAUL_CONFIG', 'BACKHAUL_MODE']) if (!(name in environment)) delete given[name]
    const command = [program, '--mode', mode, '--socket', this.socket, '--state', this.state, '--config', this.config, ...flags]
    const child = spawn(process.execPath, command, { env: given, stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr?.on('data', (bytes: Buffer) => { this.said += bytes.toString() })
    this.#child = child
  }

  /** How it ended; waits for it. */
  async exit(): Promise<Exit> {
    const child = this.#child
    if (!child) return { code: null, signal: null }
    await new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve()
      else child.once('close', () => resolve())
    })
    return { code: child.exitCode, signal: child.signalCode }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.signal(signal)
    return await this.exit()
  }

  /** As if the power of this one process went: nothing is flushed, nothing is said. */
  async kill9(): Promise<void> {
    await this.stop('SIGKILL')
  }

  async restart(more: DaemonOptions = {}): Promise<RawClient> {
    await this.kill9()
    await this.start(more)
    return await this.client()
  }

  async client(as: Identity | null = null): Promise<RawClient> {
    const client = await RawClient.open(this.socket, as)
    this.#clients.push(client)
    return client
  }

  configure(config: string): void {
    writeFileSync(this.config, config)
  }

  /** The lines of its log. */
  log(): Record<string, unknown>[] {
    return this.said.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** Its children that are workers. */
  workers(): number[] {
    return childrenOf(this.pid).filter((pid) => readProcess(pid, 'cmdline').includes('worker-main'))
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close()
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export function childrenOf(parent: number): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => pid > 0 && Number(/^PPid:\s*(\d+)/m.exec(readProcess(pid, 'status'))?.[1]) === parent)
}

export function readProcess(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH', 'EACCES'].includes(String(error.code))) return ''
    throw error
  }
}

/** Looks again until it is so. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, timeoutMs: number = 20_000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!await isSo()) {
    if (performance.now() > end) assert.fail(`${what}: not so within ${timeoutMs} ms`)
    await pause(15)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path)
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
}
