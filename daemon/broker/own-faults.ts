// Which jobs are caught up in faults of our own: a worker that crashed, or could not be started. Such a job is tried again within
// seconds, and in a process that it shares with no other job, so that a file which ends its process again and again
// holds up nobody else; of its own files those that moved when the process ended come last, one by one.
import { isOwnFault } from '../core/retry.ts'
import type { FailureCode } from '../../protocol/failures.ts'
import { monotonic } from './clock.ts'

interface Fault {
  readonly count: number
  readonly at: number
  readonly files: ReadonlySet<number>
}

/** A process that ran for so long before it ended does not end again and again. */
const inARowMs = 600_000
const none: ReadonlySet<number> = new Set()

export class OwnFaults {
  readonly #faults = new Map<string, Fault>()

  /** Takes a failure of a job, and says how many of our own it is in a row, this one included. */
  failed(jobId: string, code: FailureCode, moving: Iterable<number>): number {
    if (!isOwnFault(code)) {
      this.clear(jobId)
      return 0
    }
    const before = this.#faults.get(jobId)
    const count = before && monotonic() - before.at < inARowMs ? before.count + 1 : 1
    this.#faults.set(jobId, { count, at: monotonic(), files: new Set(moving) })
    return count
  }

  /** What the job did ended as it should. */
  clear(jobId: string): void {
    this.#faults.delete(jobId)
  }

  has(jobId: string): boolean {
    return this.#faults.has(jobId)
  }

  /** The files of the job that moved when its process ended. */
  suspects(jobId: string): ReadonlySet<number> {
    return this.#faults.get(jobId)?.files ?? none
  }
}
