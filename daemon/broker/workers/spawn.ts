// Starts a worker process as a user: fixed arguments, an environment built from nothing, folder `/`, and of the broker's descriptors
// only the link (fd 3) and the log (stderr). The process changes its user itself (`worker-start.ts`): spawning with `{uid, gid}` would
// drop the supplementary groups, and a process that became its owner is one that his other processes cannot trace.
// Its code must be readable by every user. What it logs is cut to lines of bounded length here; the owner may write there what he likes.
import { spawn, type ChildProcess } from 'node:child_process'
import { createRequire } from 'node:module'
import net from 'node:net'
import { userInfo } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Account } from './account-record.ts'
import { keepDescriptorsToOurselves } from './inheritance.ts'
import { readLogLines } from './log-lines.ts'
import { systemAuthorities } from './trust.ts'

export interface WorkerProcess {
  /** `null`: there was no process to be had. `exited` tells why. */
  readonly pid: number | null
  /** fd 3 of the worker. Its errors are taken care of here; what matters is that it closes. */
  readonly link: net.Socket
  /** Never rejects. `reason` is a sentence where the worker could not start, for the log: it may hold paths. */
  readonly exited: Promise<WorkerExit>
  kill(signal: NodeJS.Signals): void
}

export interface WorkerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly reason: string | null
}

export interface SpawnOptions {
  /** Whom to become; `null`: stay who we are (user mode). */
  readonly account: Account | null
  /** Takes each line that the worker writes to stderr, untrusted and at most 8192 characters long. */
  readonly log: (line: string) => void
  /** The program of the worker, a path. Default: `worker-main` beside `worker-start`. */
  readonly main?: string
}

/** The exit codes of `worker-start.ts`, which cannot share them: it loads nothing. */
const startFailures: Readonly<Record<number, string>> = {
  81: 'the worker was started with arguments that it does not know',
  82: 'the worker could not become its owner',
  83: 'the owner cannot read the code of the service: put it where every user can read it',
}

/**
 * Bodies do not go through the heap of JavaScript: little room for what is short-lived is enough, where by default it grows to 48 MB,
 * and with a low limit (in MB) V8 tidies up before the heap has doubled and doubled again. What there is takes some ten.
 */
const sparing = ['--max-semi-space-size=2', '--max-old-space-size=256']
/** Newer releases can be told not to open a debugger on SIGUSR1; for the others `worker-start.ts` takes the signal. */
const noDebugger = ['--disable-sigusr1'].filter((flag) => process.allowedNodeEnvironmentFlags.has(flag))
/** Flushes of small files wait for the same commit of the file system's journal, as many as there are threads to wait. */
const flushingAtOnce = { UV_THREADPOOL_SIZE: '32' }
/** Those threads wait and allocate next to nothing; glibc would keep memory for each. */
const oneHeap = { MALLOC_ARENA_MAX: '1' }

export function spawnWorker({ account, log, main }: SpawnOptions): WorkerProcess {
  const code = workerCode()
  const as = account ? ['--as', `${account.uid}:${account.gid}:${account.name}`] : []
  let child: ChildProcess
  try {
    keepDescriptorsToOurselves()
    child = spawn(process.execPath, [...sparing, ...noDebugger, ...code.before, main ?? code.main, ...as], {
      cwd: '/',
      env: { ...environmentFor(account), ...code.environment },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      windowsHide: true,
    })
  } catch (error) {
    return notStarted(error)
  }
  const exited = exitOf(child)
  const link = child.stdio?.[3]
  // Without memory or descriptors to spare there are no pipes, and the child says so by an error.
  if (!(link instanceof net.Socket)) return { pid: null, link: closedLink(), exited, kill: () => {} }
  // A worker may die at any moment; a write then fails, and the link closes, which is what its reader waits for.
  link.on('error', () => link.destroy())
  if (child.stderr) readLogLines(child.stderr, log)
  return { pid: child.pid ?? null, link, exited, kill: (signal) => void child.kill(signal) }
}

function exitOf(child: ChildProcess): Promise<WorkerExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, reason: startFailures[code ?? 0] ?? null }))
    // Also raised when a signal could not be sent; then the exit is still to come.
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(failedExit(error))
    })
  })
}

function notStarted(error: unknown): WorkerProcess {
  return { pid: null, link: closedLink(), exited: Promise.resolve(failedExit(error)), kill: () => {} }
}

function failedExit(error: unknown): WorkerExit {
  return { code: null, signal: null, reason: `no process could be started: ${error instanceof Error ? error.message : String(error)}` }
}

function closedLink(): net.Socket {
  return new net.Socket().destroy()
}

interface WorkerCode {
  readonly before: readonly string[]
  readonly main: string
  readonly environment: Readonly<Record<string, string>>
}

/** What node is told to run. From a clone TypeScript, with a loader that loads after the change of user; else what was compiled. */
function workerCode(): WorkerCode {
  const fileOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
  if (!import.meta.url.endsWith('.ts')) {
    return { before: ['--import', new URL('./worker-start.js', import.meta.url).href], main: fileOf('./worker-main.js'), environment: {} }
  }
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  return {
    before: ['--require', fileOf('../../worker-start.ts'), '--import', loader],
    main: fileOf('../../worker-main.ts'),
    // The loader's cache is a folder in /tmp with a name that anybody can take first and fill with code.
    environment: { TSX_DISABLE_CACHE: '1', TSX_TSCONFIG_PATH: fileOf('../../../tsconfig.json') },
  }
}

function environmentFor(account: Account | null): Record<string, string> {
  const { name, home } = account ?? ownAccount()
  const environment: Record<string, string> = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home, USER: name, LOGNAME: name, ...flushingAtOnce, ...oneHeap }
  const kept = process.platform === 'win32' ? ['LANG', 'TZ', 'PATH', 'SystemRoot', 'TEMP', 'USERPROFILE'] : ['LANG', 'TZ']
  for (const key of kept) {
    const value = process.env[key]
    if (value !== undefined) environment[key] = value
  }
  const authorities = systemAuthorities()
  if (authorities !== null) environment['NODE_EXTRA_CA_CERTS'] = authorities
  return environment
}

function ownAccount(): { readonly name: string; readonly home: string } {
  try {
    const { username, homedir } = userInfo()
    return { name: username, home: homedir }
  } catch (error) {
    // A uid without an entry in the user database, as in containers. It can move files all the same.
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SYSTEM_ERROR')) throw error
    return { name: String(process.getuid?.()), home: '/' }
  }
}
