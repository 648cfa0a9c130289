// Since when is a job moving, in trouble, untouched? On the monotonic clock; across a restart the time that the service has
// seen pass counts, since a wall clock that was wrong once would make every job old.
import type { JobRecord } from '../core/job.ts'
import { isMoving } from '../core/transitions.ts'
import { monotonic } from './clock.ts'
import type { Committed } from './queue.ts'

export class JobClocks {
  readonly #movingSince = new Map<string, number>()
  readonly #troubledSince = new Map<string, number>()
  readonly #touchedAt = new Map<string, number>()

  /** The time that the service has seen pass until now. */
  readonly served: () => number

  constructor(served: () => number) {
    this.served = served
  }

  load(job: JobRecord): void {
    const ago = (at: number): number => monotonic() - Math.max(0, this.served() - at)
    this.#touchedAt.set(job.id, ago(job.servedAt))
    if (job.troubledSince !== null) this.#troubledSince.set(job.id, ago(job.troubledSince))
  }

  take({ before, after }: Committed): void {
    const { id } = after
    if (after.endedAt !== null) return this.forget(id)
    if (after.warnedAt === null) this.#touchedAt.set(id, monotonic())
    if (!isMoving(after.state)) this.#movingSince.delete(id)
    else if (!before || !isMoving(before.state)) this.#movingSince.set(id, monotonic())
    if (after.troubledSince === null) this.#troubledSince.delete(id)
    else if (after.troubledSince !== before?.troubledSince) this.#troubledSince.set(id, monotonic())
  }

  /** Bytes came. */
  touch(id: string): void {
    this.#touchedAt.set(id, monotonic())
  }

  forget(id: string): void {
    for (const since of [this.#movingSince, this.#troubledSince, this.#touchedAt]) since.delete(id)
  }

  /** Time in connecting and transferring that is not in the record yet. */
  spentMs(id: string): number {
    return elapsed(this.#movingSince.get(id))
  }

  troubledForMs(id: string): number {
    return elapsed(this.#troubledSince.get(id))
  }

  untouchedForMs(id: string): number {
    return elapsed(this.#touchedAt.get(id))
  }
}

function elapsed(since: number | undefined): number {
  return since === undefined ? 0 : Math.max(0, Math.round(monotonic() - since))
}
