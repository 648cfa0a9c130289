// Calls that wait until a job is in one of some states. A job that ended will not change any more, so its end is
// always an answer. A wait ends with its connection.
import { randomUUID } from 'node:crypto'
import type { JobState } from '../../protocol/job.ts'
import { Refusal } from '../../protocol/refusals.ts'
import type { JobRecord } from '../core/job.ts'
import { DueTimes } from './clock.ts'
import type { Committed } from './queue.ts'
import type { Connection } from './rpc/connection.ts'

interface Waiter {
  readonly states: ReadonlySet<JobState>
  readonly settle: (job: JobRecord | null) => void
}

/** Of one user: far more than anybody means to have, and little enough to remember. */
const waitsPerUser = 10_000

export class Waiters {
  readonly #countByUser = new Map<string, number>()
  readonly #byJob = new Map<string, Map<string, Waiter>>()
  readonly #due: DueTimes

  constructor() {
    this.#due = new DueTimes((key) => {
      const [jobId = '', waitId = ''] = key.split(' ')
      this.#byJob.get(jobId)?.get(waitId)?.settle(null)
    })
  }

  take({ after }: Committed): void {
    for (const waiter of this.#byJob.get(after.id)?.values() ?? []) {
      if (waiter.states.has(after.state) || after.endedAt !== null) waiter.settle(after)
    }
  }

  /**
   * The job as it was when it came into one of the states; `null` when the time was over or the connection ended.
   * @throws Refusal `too-many-calls`
   */
  wait(jobId: string, states: readonly JobState[], timeoutMs: number | null, connection: Connection): Promise<JobRecord | null> {
    if (connection.isClosed) return Promise.resolve(null)
    const userId = connection.caller.id
    const count = this.#countByUser.get(userId) ?? 0
    if (count >= waitsPerUser) throw new Refusal('too-many-calls', { limit: waitsPerUser })
    this.#countByUser.set(userId, count + 1)
    const waitId = randomUUID()
    const key = `${jobId} ${waitId}`
    return new Promise((resolve) => {
      const ofJob = this.#byJob.get(jobId) ?? new Map<string, Waiter>()
      this.#byJob.set(jobId, ofJob)
      const settle = (job: JobRecord | null): void => {
        if (!ofJob.delete(waitId)) return
        this.#left(userId)
        if (ofJob.size === 0) this.#byJob.delete(jobId)
        this.#due.clear(key)
        off()
        resolve(job)
      }
      const off = connection.onClosed(() => settle(null))
      ofJob.set(waitId, { states: new Set(states), settle })
      if (timeoutMs !== null) this.#due.set(key, timeoutMs)
    })
  }

  #left(userId: string): void {
    const count = (this.#countByUser.get(userId) ?? 1) - 1
    if (count > 0) this.#countByUser.set(userId, count)
    else this.#countByUser.delete(userId)
  }

  close(): void {
    for (const ofJob of [...this.#byJob.values()]) for (const waiter of [...ofJob.values()]) waiter.settle(null)
    this.#due.close()
  }
}
