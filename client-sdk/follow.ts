// Follows one job until it is done moving, over lost connections and restarts of the daemon. The end is learnt
// from `job.wait`, which can be relied upon; what is seen on the way comes from a watch, or by asking twice a
// second where the daemon has none. Nothing here changes the job.
import type { Job, JobState } from '../protocol/job.ts'
import { Refusal } from '../protocol/refusals.ts'
import { abortable, type Call } from './connection.ts'
import type { Watch, WatchOptions } from './watch.ts'

/** What following and downloading need of a client. */
export interface Line {
  readonly isClosed: boolean
  readonly call: Call
  watch(options?: WatchOptions): Watch
}

export interface Persistence {
  readonly signal?: AbortSignal | undefined
  /** How long the daemon may be away, in seconds, before it is given up with `no-daemon`. Default 120. */
  readonly daemonAwaySeconds?: number | undefined
}

export interface FollowOptions extends Persistence {
  /** Called with the job at the start, at each change and about twice a second of progress, and at the end. */
  readonly onChange?: ((job: Job) => void) | undefined
  /** Stop following when the job has not come so far by then. Default: never. */
  readonly timeoutSeconds?: number | undefined
  /** Default: those of `job.wait`. */
  readonly states?: readonly JobState[] | undefined
}

const sliceSeconds = 60
const askEveryMs = 500

export interface Followed {
  readonly job: Job
  readonly timedOut: boolean
}

/** The job when it is `transferred`, `error`, `acknowledged` or `cancelled`, unless other states were asked for. */
export async function followJob(line: Line, jobId: string, options: FollowOptions = {}): Promise<Followed> {
  const { onChange, timeoutSeconds, states } = options
  const stopLooking = new AbortController()
  const startedAt = performance.now()
  // An error of `onChange` is the caller's and ends the following.
  const looking = onChange ? look(line, jobId, onChange, stopLooking.signal) : new Promise<never>(() => {})
  try {
    for (;;) {
      const leftSeconds = timeoutSeconds === undefined ? Infinity : timeoutSeconds - (performance.now() - startedAt) / 1000
      const slice = { jobId, timeoutSeconds: Math.min(sliceSeconds, Math.max(0, leftSeconds)), ...(states && { states: [...states] }) }
      const waiting = persist(line, () => line.call('job.wait', slice, { signal: options.signal }), options)
      const { job, timedOut } = await Promise.race([waiting, looking])
      if (timedOut && leftSeconds > sliceSeconds) continue
      onChange?.(job)
      return { job, timedOut }
    }
  } finally {
    stopLooking.abort()
  }
}

/** Repeats a call that may be repeated while the daemon is away or stopping, for a limited time. */
export async function persist<T>(line: Line, attempt: () => Promise<T>, { signal, daemonAwaySeconds = 120 }: Persistence): Promise<T> {
  let awaySince: number | null = null
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!isAway(error) || line.isClosed) throw error
      awaySince ??= performance.now()
      if (performance.now() - awaySince > daemonAwaySeconds * 1000) throw error
      await pause(100, signal)
    }
  }
}

/** Never resolves: it only looks, until the signal. */
async function look(line: Line, jobId: string, onChange: (job: Job) => void, signal: AbortSignal): Promise<never> {
  try {
    const watch = line.watch({ jobIds: [jobId], signal })
    onChange((await persist(line, () => line.call('job.get', { jobId }, { signal }), { signal })).job)
    for await (const { job } of watch) if (job) onChange(job)
  } catch (error) {
    if (signal.aborted) return new Promise<never>(() => {})
    if (!(error instanceof Refusal)) throw error
    // Without a watch, or with one that ended, we ask.
    await ask(line, jobId, onChange, signal)
  }
  return new Promise<never>(() => {})
}

async function ask(line: Line, jobId: string, onChange: (job: Job) => void, signal: AbortSignal): Promise<void> {
  let last = ''
  while (!signal.aborted) {
    try {
      const { job } = await line.call('job.get', { jobId }, { signal })
      const shown = JSON.stringify(job)
      if (shown !== last) onChange(job)
      last = shown
      await pause(askEveryMs, signal)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof Refusal)) throw error
      // Whether that matters is for the wait to say.
      await pause(askEveryMs, signal).catch(() => {})
    }
  }
}

function isAway(error: unknown): error is Refusal {
  return error instanceof Refusal && ['connection-closed', 'no-daemon', 'shutting-down'].includes(error.kind)
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  return abortable(new Promise<void>((resolve) => { timer = setTimeout(resolve, ms) }), signal).finally(() => clearTimeout(timer))
}
