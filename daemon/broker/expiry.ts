// Cancels jobs that nobody touched and that made no progress for the inactivity limit (contract rule 7), and forgets
// ended jobs and events that are older than the history. Looks when the first of them could be due, at most once a day.
import { transition } from '../core/transitions.ts'
import type { Log } from '../log.ts'
import { DueTimes, now } from './clock.ts'
import type { JobClocks } from './job-clocks.ts'
import type { Queue } from './queue.ts'

export interface ExpiryOptions {
  readonly queue: Queue
  readonly clocks: JobClocks
  readonly inactivityDays: () => number
  readonly forgetHistory: () => Promise<number>
  readonly log: Log
}

const dayMs = 86_400_000
/** From the start to the first look at the history: when the start itself is over. */
const forgetFirstMs = 5000

export class Expiry {
  readonly #options: ExpiryOptions
  readonly #due = new DueTimes((key) => void (key === 'history' ? this.#forget() : this.look()))

  constructor(options: ExpiryOptions) {
    this.#options = options
    this.#due.set('history', forgetFirstMs)
    void this.look()
  }

  async look(): Promise<void> {
    const { queue, clocks, log } = this.#options
    const limitMs = this.#options.inactivityDays() * dayMs
    let nextMs = dayMs
    for (const job of [...queue.all()]) {
      const leftMs = limitMs - clocks.untouchedForMs(job.id)
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs)
      else if (job.endedAt === null) {
        log.warn({ jobId: job.id, owner: job.owner.id }, 'a job was cancelled: nobody touched it for the inactivity limit')
        try {
          await queue.change(job.id, (present) => transition(present, { kind: 'expired' }, now()))
        } catch (error) {
          log.warn({ err: error, jobId: job.id }, 'an inactive job could not be cancelled yet')
        }
      }
    }
    this.#due.set('inactive', nextMs)
  }

  close(): void {
    this.#due.close()
  }

  async #forget(): Promise<void> {
    this.#due.set('history', dayMs)
    try {
      const forgotten = await this.#options.forgetHistory()
      if (forgotten > 0) this.#options.log.info({ jobs: forgotten }, 'ended jobs older than the history were forgotten')
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the history could not be cleared')
    }
  }
}
