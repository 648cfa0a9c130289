// Lets one system call of a process that runs fail, or be its last: strace attached to its threads, and to no child's.
// `when` counts each thread's calls from the moment of attaching; with one thread in the pool that is a fixed order.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

export const needsStrace = process.platform === 'linux' && spawnSync('strace', ['-V']).status === 0 ? false : 'needs strace'

export interface Injection {
  readonly call: string
  /** `signal=KILL`, `error=EIO`. */
  readonly fault: string
  /** `7`: the seventh; `3+`: from the third on; `2+3`: the second and each third after it. */
  readonly when: string
  /** Leaves out the main thread, which also writes to sockets. */
  readonly isPoolOnly?: boolean
  /** Only calls on this file: threads also wake each other by writing. */
  readonly path?: string
}

export interface Attached {
  /** Lets go; what was injected stays done. */
  detach(): Promise<void>
}

/** A thread that begins meanwhile is not seen; then it is done again. */
export async function inject(pid: number, injection: Injection): Promise<Attached> {
  for (let left = 20; ; left--) {
    const tasks = readdirSync(`/proc/${pid}/task`)
    const traced = tasks.filter((id) => !injection.isPoolOnly || Number(id) !== pid)
    const strace = attach(traced, injection)
    let said = ''
    strace.stderr?.on('data', (bytes: Buffer) => { said += bytes.toString() })
    if (await areAttached(strace, pid, traced) && readdirSync(`/proc/${pid}/task`).join() === tasks.join()) return { detach: () => detach(strace) }
    await detach(strace)
    if (left === 0) throw new Error(`strace did not attach: ${said}`)
    await new Promise((resolve) => { setTimeout(resolve, 100) })
  }
}

function attach(tasks: readonly string[], { call, fault, when, path }: Injection): ChildProcess {
  const only = path === undefined ? [] : ['-P', path]
  const threads = tasks.flatMap((id) => ['-p', id])
  return spawn('strace', ['-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:${fault}:when=${when}`, ...only, ...threads], { stdio: ['ignore', 'ignore', 'pipe'] })
}

async function detach(strace: ChildProcess): Promise<void> {
  if (strace.exitCode !== null || strace.signalCode !== null) return
  const exit = once(strace, 'exit')
  strace.kill('SIGINT')
  // It may wait for ever for a thread that died with its process.
  const limit = setTimeout(() => strace.kill('SIGKILL'), 500)
  await exit
  clearTimeout(limit)
}

/** Each thread says who traces it. */
async function areAttached(strace: ChildProcess, pid: number, tasks: readonly string[]): Promise<boolean> {
  const isTraced = (id: string): boolean => {
    const status = `/proc/${pid}/task/${id}/status`
    return existsSync(status) && new RegExp(`^TracerPid:\\s*${strace.pid}$`, 'm').test(readFileSync(status, 'utf8'))
  }
  for (const end = performance.now() + 2000; performance.now() < end && strace.exitCode === null;) {
    if (tasks.every(isTraced)) return true
    await new Promise((resolve) => { setTimeout(resolve, 5) })
  }
  return false
}
