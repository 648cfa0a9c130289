// The real daemon in system mode as a process of its own, with what it keeps in a scratch folder that users can enter, for tests
// that run as root. `close` ends it and removes the folder. `worker` puts another program in the place of every worker, which
// the daemon itself cannot be told: then a small program of the tests puts its rooms together (`replaced-worker.ts`).
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export interface SystemDaemon {
  readonly folder: string
  readonly socket: string
  readonly state: string
  readonly pid: number
  /** Everything it has logged, over all its starts. */
  logged(): string
  /** Lets it read this configuration, and waits until it has. */
  configure(config: string): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
  kill9(): Promise<void>
  close(): Promise<void>
}

export interface SystemDaemonOptions {
  readonly config?: string
  readonly worker?: string
  readonly mode?: 'system' | 'user'
  /** Placed before node itself: `prlimit --nofile=64`, `faketime …`. */
  readonly before?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

export async function startSystemDaemon(options: SystemDaemonOptions = {}): Promise<SystemDaemon> {
  const { config = '', worker, mode = 'system', before = [] } = options
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-system-'))
  chmodSync(folder, 0o755)
  const socket = join(folder, 'run', 'backhaul.sock')
  const state = join(folder, 'state')
  const configFile = join(folder, 'config.toml')
  writeFileSync(configFile, config)
  const program = worker === undefined
    ? [resolve(import.meta.dirname, '..', '..', 'backhauld.js')]
    : ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'replaced-worker.ts'), worker]
  const flags = ['--mode', mode, '--socket', socket, '--state', state, '--config', configFile, '--log-level', 'debug']
  let child: ChildProcess | null = null
  let said = ''

  const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
    const end = performance.now() + 30_000
    while (!await holds()) {
      if (child?.exitCode !== null || performance.now() > end) throw new Error(`${what} did not come:\n${said.slice(-20_000)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const start = async (): Promise<void> => {
    const [command = '', ...args] = [...before, process.execPath, ...program, ...flags]
    const from = said.length
    child = spawn(command, args, { env: { ...process.env, ...options.environment }, stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr?.on('data', (bytes: Buffer) => { said += bytes.toString() })
    await until('the daemon', () => said.includes('backhauld is ready', from) && answers(socket))
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child
    child = null
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const exit = once(ending, 'exit')
    ending.kill(signal)
    await exit
  }
  const close = async (): Promise<void> => {
    await end('SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await start()
  } catch (error) {
    await end('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  return {
    folder, socket, state, start, close,
    get pid() {
      return child?.pid ?? 0
    },
    logged: () => said,
    async configure(text) {
      const from = said.length
      writeFileSync(configFile, text)
      child?.kill('SIGHUP')
      await until('the configuration', () => said.includes('onfiguration', from))
    },
    stop: () => end('SIGTERM'),
    kill9: () => end('SIGKILL'),
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(path)
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false)).once('close', () => resolve(false))
    probe.once('connect', () => probe.destroy())
  })
}
