// Starts a daemon for the caller, in user mode, detached: it goes on when the caller ends (contract §1). Two
// callers may do this at once: the daemon that comes second ends by itself, and both callers use the first. What
// the daemon logs goes to `daemon.log` in its state folder, readable by the owner only.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, fchmodSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { socketPath, stateFolder, type Surroundings } from '../protocol/address.ts'
import { Refusal } from '../protocol/refusals.ts'
import { checkFolder, surroundings } from './find-socket.ts'

export interface StartOptions {
  /** Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** How long to wait for the daemon to answer. Default 15. */
  readonly timeoutSeconds?: number
}

const longestLogBytes = 8 * 1024 * 1024
const afterExitMs = 3000

/** Answers the socket of the caller's own daemon once it accepts; rejects with `no-daemon` when it does not. */
export async function startDaemon({ environment = process.env, timeoutSeconds = 15 }: StartOptions = {}): Promise<string> {
  const at = surroundings(environment)
  const socket = environment['BACKHAUL_SOCKET'] || socketPath('user', at)
  const logFile = join(environment['BACKHAUL_STATE'] || stateFolder('user', at), 'daemon.log')
  const program = daemonProgram()
  if (program === null) throw new Refusal('no-daemon', { sockets: [socket] }, 'No daemon answers, and the program backhauld is not beside this one.')
  if (!environment['BACKHAUL_SOCKET'] && existsSync(dirname(socket))) await refuseForeign(socket, at)
  const log = openLog(logFile, socket)
  const logStartsAt = statSync(logFile).size
  const child = spawn(process.execPath, [program, '--mode', 'user'], {
    detached: true, windowsHide: true, stdio: ['ignore', log, log], cwd: '/', env: withAbsolutePaths(environment),
  })
  closeSync(log)
  child.unref()
  let endedAt: number | null = null
  child.once('error', () => { endedAt ??= performance.now() })
  child.once('exit', () => { endedAt ??= performance.now() })
  const until = performance.now() + timeoutSeconds * 1000
  while (performance.now() < until) {
    if (await answers(socket)) {
      if (!environment['BACKHAUL_SOCKET']) await refuseForeign(socket, at)
      return socket
    }
    // It may have ended because another daemon came first; that one may need a moment still.
    if (endedAt !== null && performance.now() - endedAt > afterExitMs) break
    await new Promise((goOn) => setTimeout(goOn, 40))
  }
  const lastLine = lastLogLine(logFile, logStartsAt)
  throw new Refusal('no-daemon', { sockets: [socket], logFile },
    `A daemon was started but does not answer at ${socket}${lastLine ? `: ${lastLine}` : ''} (its log: ${logFile}).`)
}

/** Whoever made the folder first could pass for the daemon, and be sent what is meant for it. */
async function refuseForeign(socket: string, at: Surroundings): Promise<void> {
  try {
    await checkFolder(socket, at)
  } catch (error) {
    throw new Refusal('no-daemon', { sockets: [socket] }, `No daemon is started: ${error instanceof Error ? error.message : String(error)}.`)
  }
}

/** The daemon runs in another folder than we do. */
function withAbsolutePaths(environment: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const all = { ...environment }
  for (const name of ['BACKHAUL_SOCKET', 'BACKHAUL_STATE', 'BACKHAUL_CONFIG']) if (all[name]) all[name] = resolve(all[name])
  return all
}

/** In a clone the daemon is in the folder beside ours; once built, both programs are in one folder. */
function daemonProgram(): string | null {
  const places = ['./backhauld.js', '../daemon/backhauld.js', './daemon/backhauld.js', '../backhauld.js']
  return places.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((path) => existsSync(path)) ?? null
}

function openLog(path: string, socket: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    if (existsSync(path) && statSync(path).size > longestLogBytes) renameSync(path, `${path}.1`)
    const log = openSync(path, 'a', 0o600)
    if (process.platform !== 'win32') fchmodSync(log, 0o600)
    return log
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const refusal = new Refusal('no-daemon', { sockets: [socket] }, `No daemon answers, and none can be started: ${reason}.`)
    refusal.cause = error
    throw refusal
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connectSocket(path)
    socket.once('connect', () => {
      socket.destroy()
      answer(true)
    })
    socket.once('error', () => answer(false))
  })
}

function lastLogLine(path: string, from: number): string {
  const line = readFileSync(path).subarray(from).toString('utf8').trim().split('\n').at(-1) ?? ''
  try {
    const entry: unknown = JSON.parse(line)
    return typeof entry === 'object' && entry !== null && 'msg' in entry ? String(entry.msg) : line
  } catch {
    // Not one of the log's lines, then it is what the runtime had to say.
    return line
  }
}
