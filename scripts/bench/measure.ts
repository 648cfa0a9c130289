// Runs a command, or watches a process that runs already, and says what it cost: seconds by the clock, seconds of
// processor, peak of memory. It knows nothing of what is run. Linux only: it reads /proc.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** What one run of one contestant gave, by the name of the figure. */
export type Sample = Readonly<Record<string, number>>

const ticksPerSecond = 100

/** Runs it to its end; rejects where it fails. Seconds, processor included, of it and of what it started. */
export function runMeasured(command: readonly string[], folder: string = '/'): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', 'TIMEFORMAT="%R %U %S"; time "$@" > /dev/null', 'bash', ...command], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (bytes: Buffer) => { said += bytes.toString() })
    child.once('error', reject)
    child.once('close', (code) => {
      const [, wall, user, system] = /([\d.]+) ([\d.]+) ([\d.]+)\s*$/.exec(said) ?? []
      if (code !== 0 || wall === undefined) return reject(new Error(`${command[0]} ended with ${code}: ${said.slice(-500)}`))
      resolve({ wall: Number(wall), cpu: Number(user) + Number(system) })
    })
  })
}

/** Seconds of processor that a process, its children and those that ended have used so far. */
export function cpuOf(pid: number): number {
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = statOf(pid).slice(11, 15).map(Number)
  const own = (user + system + endedUser + endedSystem) / ticksPerSecond
  return childrenOf(pid).reduce((sum, child) => sum + cpuOf(child), own)
}

export function childrenOf(pid: number): number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number)
  return all.filter((each) => Number(statOf(each)[1]) === pid)
}

/** Megabytes; `VmHWM`: the most there ever was. */
export function memoryOf(pid: number, figure: 'VmRSS' | 'VmHWM'): number {
  const kilobytes = new RegExp(`^${figure}:\\s*(\\d+) kB`, 'm').exec(read(`/proc/${pid}/status`))?.[1]
  return Number(kilobytes ?? 0) / 1024
}

/** The fields after the name, which may hold anything; [0] is the state, [1] the parent. */
function statOf(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    // It has ended meanwhile, which shows in the answer.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return ''
    throw error
  }
}
