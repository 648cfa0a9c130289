// How many unfinished jobs there are of those whom the limits bind; jobs that are just being made count already.
import type { JobRecord } from '../core/job.ts'
import type { JobCounts as Counts } from '../core/limits.ts'

export class JobCounts {
  readonly #ofUser = new Map<string, number>()
  #onMachine = 0

  seenBy(ownerId: string): Counts {
    return { onMachine: this.#onMachine, ofUser: this.#ofUser.get(ownerId) ?? 0 }
  }

  add(job: JobRecord): void {
    this.#change(job, 1)
  }

  remove(job: JobRecord): void {
    this.#change(job, -1)
  }

  #change(job: JobRecord, by: 1 | -1): void {
    if (job.exempt) return
    this.#onMachine += by
    const count = (this.#ofUser.get(job.owner.id) ?? 0) + by
    if (count > 0) this.#ofUser.set(job.owner.id, count)
    else this.#ofUser.delete(job.owner.id)
  }
}
