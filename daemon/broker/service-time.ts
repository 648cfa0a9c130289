// How much time the service has seen pass, over all its runs. Unlike the wall clock it cannot jump: a clock that is wrong at
// one boot makes nothing old. It is written seldom, since an hour more or less does not matter where days are counted.
import type { Log } from '../log.ts'
import { DueTimes, monotonic } from './clock.ts'

export interface ServiceTimeOptions {
  /** What the runs before this one have seen. */
  readonly before: number
  readonly write: (ms: number) => Promise<void>
  readonly log: Log
}

const writeEveryMs = 3_600_000

export class ServiceTime {
  readonly #options: ServiceTimeOptions
  readonly #startedAt = monotonic()
  readonly #due = new DueTimes(() => void this.#write().then(() => this.#setDue()))
  #closed = false

  constructor(options: ServiceTimeOptions) {
    this.#options = options
    this.#setDue()
  }

  /** Milliseconds, rising over restarts. */
  now(): number {
    return Math.round(this.#options.before + this.upMs())
  }

  upMs(): number {
    return monotonic() - this.#startedAt
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#due.close()
    await this.#write()
  }

  async #write(): Promise<void> {
    try {
      await this.#options.write(this.now())
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the time that the service has run could not be written; it is written later')
    }
  }

  #setDue(): void {
    if (!this.#closed) this.#due.set('write', writeEveryMs)
  }
}
