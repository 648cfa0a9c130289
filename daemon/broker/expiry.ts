// Cancels jobs that nobody touched and that made no progress for the inactivity limit (contract rule 7). Looks when the
// first of them could be due, and at least once a day.
import { transition } from '../core/transitions.ts'
import type { Log } from '../log.ts'
import { DueTimes, now } from './clock.ts'
import type { JobClocks } from './job-clocks.ts'
import type { Queue } from './queue.ts'

export interface ExpiryOptions {
  readonly queue: Queue
  readonly clocks: JobClocks
  readonly inactivityDays: () => number
  readonly log: Log
}

const dayMs = 86_400_000

export class Expiry {
  readonly #options: ExpiryOptions
  readonly #due = new DueTimes(() => void this.look())

  constructor(options: ExpiryOptions) {
    this.#options = options
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
}
