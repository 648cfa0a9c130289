// What a run of the tests left behind: processes that still live, and what lies in the run's own temporary folder.
// A process belongs to the run if its environment carries the run's mark, or if it lost its parent, runs code of this tree and
// was not there before (workers get an environment built from nothing). Only Linux can be asked; elsewhere no process is found.
// Invariant: a process of another run at the same time is never named here, still less ended.
import { readdirSync, readFileSync } from 'node:fs'

export const markName = 'BACKHAUL_TEST_RUN'

export interface Leftover {
  readonly pid: number
  readonly command: string
}

/** The processes there are now; to be taken before the run. */
export function listProcesses(): ReadonlySet<number> {
  if (process.platform !== 'linux') return new Set()
  return new Set(readdirSync('/proc').map(Number).filter((pid) => pid > 0))
}

export interface Run {
  /** In the environment of what it starts, under `markName`. */
  readonly mark: string
  readonly root: string
  readonly before: ReadonlySet<number>
}

export function endLeftovers(run: Run): void {
  for (const { pid } of findLeftovers(run)) endProcess(pid)
}

export function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error // it ended by itself
  }
}

export function findLeftovers(options: Run): Leftover[] {
  const found: Leftover[] = []
  for (const pid of listProcesses()) {
    if (pid === process.pid || options.before.has(pid)) continue
    const command = read(pid, 'cmdline').replaceAll('\0', ' ').trim()
    if (command === '') continue // ended meanwhile, or not reaped yet
    if (isOurCompiler(pid, command)) continue
    const isMarked = read(pid, 'environ').split('\0').includes(`${markName}=${options.mark}`)
    if (isMarked || (hasLostParent(pid) && command.includes(options.root))) found.push({ pid, command })
  }
  return found
}

// tsx keeps one esbuild beside the process that it compiles for; ours ends with us.
function isOurCompiler(pid: number, command: string): boolean {
  return command.includes('esbuild') && command.includes('--service') && parentOf(pid) === process.pid
}

function hasLostParent(pid: number): boolean {
  const parent = parentOf(pid)
  return parent === 1 || (parent !== process.pid && /^(systemd|init)\b/.test(read(parent, 'comm')))
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(read(pid, 'status'))?.[1] ?? 0)
}

function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch (error) {
    // ENOENT, ESRCH: it has ended. EACCES: it runs as somebody else, and what cannot be read cannot be judged.
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(String(error.code))) return ''
    throw error
  }
}
