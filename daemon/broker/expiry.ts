// Cancels jobs that nobody touched and that made no progress for the inactivity limit, and warns the owner of a finished
// download before. Looks when the first of them could be due, and at least once a day.
import { judgeInactivity } from '../core/inactivity.ts'
import type { JobRecord } from '../core/job.ts'
import { transition, warned } from '../core/transitions.ts'
import type { Log } from '../log.ts'
import { DueTimes, now } from './clock.ts'
import type { JobClocks } from './job-clocks.ts'
import type { Change, Queue } from './queue.ts'

export interface ExpiryOptions {
  readonly queue: Queue
  readonly clocks: JobClocks
  readonly inactivityDays: () => number
  /** Since the start of the service. */
  readonly upMs: () => number
  readonly log: Log
}

const dayMs = 86_400_000
/** What could not be written is tried again, but not in a loop. */
const againMs = 60_000

export class Expiry {
  readonly #options: ExpiryOptions
  readonly #due = new DueTimes(() => void this.look())
  #closed = false

  constructor(options: ExpiryOptions) {
    this.#options = options
    void this.look()
  }

  async look(): Promise<void> {
    let nextMs = dayMs
    for (const job of [...this.#options.queue.all()]) {
      if (job.endedAt === null) nextMs = Math.min(nextMs, await this.#see(job))
    }
    if (!this.#closed) this.#due.set('inactive', nextMs)
  }

  close(): void {
    this.#closed = true
    this.#due.close()
  }

  /** Gives back how long this job can wait for the next look. */
  async #see(job: JobRecord): Promise<number> {
    const { clocks, upMs, log } = this.#options
    const verdict = judgeInactivity({
      limitMs: this.#options.inactivityDays() * dayMs, untouchedMs: clocks.untouchedForMs(job.id), upMs: upMs(),
      warnedMs: job.warnedAt === null ? null : clocks.served() - job.warnedAt, needsWarning: job.state === 'transferred',
    })
    if (typeof verdict === 'object') return verdict.waitMs
    const change = (present: JobRecord): Change | null => {
      if (present !== job) return null
      return verdict === 'cancel' ? transition(present, { kind: 'expired' }, now()) : { ...warned(present), isWarning: true }
    }
    try {
      const after = await this.#options.queue.change(job.id, change)
      const about = { jobId: job.id, owner: job.owner.id }
      if (after.endedAt !== null) log.warn(about, 'a job was cancelled: nobody touched it for the inactivity limit')
      else if (after.warnedAt !== null) log.warn(about, 'a finished download is given up soon: nobody has completed it')
    } catch (error) {
      log.warn({ err: error, jobId: job.id }, 'what is due for an inactive job could not be done yet')
    }
    return againMs
  }
}
