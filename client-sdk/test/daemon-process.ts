// The real daemon as a process of its own, in user mode, with everything it keeps in a scratch folder: for tests.
// `close` ends it and removes the folder, so that nothing is left; a daemon that does not come up fails with what
// it had to say.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { connect } from '../client.ts'

export interface DaemonProcess {
  readonly folder: string
  readonly socket: string
  /** For programs that should find this daemon, and nothing else of this machine. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** In order, by SIGTERM. */
  stop(): Promise<void>
  kill9(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

const program = resolve(import.meta.dirname, '..', '..', 'daemon', 'backhauld.js')

/** A scratch folder, and an environment in which every usual place is inside it. */
export async function makeSurroundings(): Promise<{ folder: string; environment: Record<string, string | undefined> }> {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-test-'))
  const places = { XDG_RUNTIME_DIR: 'run', XDG_STATE_HOME: 'state', XDG_CONFIG_HOME: 'config', HOME: 'home' }
  const environment: Record<string, string | undefined> = { ...process.env, NO_COLOR: '1' }
  for (const name of ['BACKHAUL_SOCKET', 'BACKHAUL_STATE', 'BACKHAUL_CONFIG', 'BACKHAUL_MODE']) delete environment[name]
  for (const [name, place] of Object.entries(places)) {
    environment[name] = join(folder, place)
    await mkdir(join(folder, place), { mode: 0o700 })
  }
  return { folder, environment }
}

export async function startDaemonProcess({ config = '' }: { readonly config?: string } = {}): Promise<DaemonProcess> {
  const { folder, environment } = await makeSurroundings()
  const socket = join(folder, 'run', 'backhaul', 'backhaul.sock')
  const flags = ['--mode', 'user', '--state', join(folder, 'state'), '--config', join(folder, 'config.toml')]
  await writeFile(join(folder, 'config.toml'), config)
  let child: ChildProcess | null = null
  let said = ''

  const start = async (): Promise<void> => {
    const started = spawn(process.execPath, [program, ...flags], { env: environment, stdio: ['ignore', 'ignore', 'pipe'] })
    child = started
    said = ''
    started.stderr?.on('data', (bytes: Buffer) => { said = `${said}${bytes.toString()}`.slice(-20_000) })
    const end = performance.now() + 30_000
    while (!await answers(socket)) {
      if (started.exitCode !== null || performance.now() > end) throw new Error(`the daemon did not come up:\n${said}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
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
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await start()
  } catch (error) {
    await end('SIGKILL')
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  return { folder, socket, environment: { ...environment, BACKHAUL_SOCKET: socket }, start, stop: () => end('SIGTERM'), kill9: () => end('SIGKILL'), close }
}

async function answers(socket: string): Promise<boolean> {
  try {
    const client = await connect({ socket, reconnect: false })
    client.close()
    return true
  } catch {
    // Not yet; the one who waits has a time limit.
    return false
  }
}
