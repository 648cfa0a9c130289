// The records of jobs by id, and in the order of their numbers, so that a page of a list is found without looking at
// every job. Invariant: both ways lead to the same records.
import type { JobRecord } from '../core/job.ts'

export class JobIndex {
  readonly #byId = new Map<string, JobRecord>()
  /** By rising number. */
  readonly #ordered: JobRecord[] = []

  get(id: string): JobRecord | null {
    return this.#byId.get(id) ?? null
  }

  /** Adds the record, or puts it in the place of the job's one before; a job keeps its number. */
  set(job: JobRecord): void {
    const before = this.#byId.get(job.id)
    const at = before ? this.#placeOf(before) : this.#firstAfter(job.number)
    if (before || at === this.#ordered.length) this.#ordered[at] = job
    else this.#ordered.splice(at, 0, job)
    this.#byId.set(job.id, job)
  }

  delete(id: string): void {
    const job = this.#byId.get(id)
    if (!job) return
    this.#ordered.splice(this.#placeOf(job), 1)
    this.#byId.delete(id)
  }

  /** Jobs with a higher number, in the order of their numbers; not to be held while jobs change. */
  *after(number: number): IterableIterator<JobRecord> {
    for (let at = this.#firstAfter(number); at < this.#ordered.length; at++) yield this.#ordered[at] as JobRecord
  }

  #placeOf(job: JobRecord): number {
    return this.#ordered.indexOf(job, this.#firstAfter(job.number - 1))
  }

  /** The place of the first job with a higher number. New jobs have the highest, so it is looked for at the end first. */
  #firstAfter(number: number): number {
    if ((this.#ordered.at(-1)?.number ?? 0) <= number) return this.#ordered.length
    let [from, to] = [0, this.#ordered.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#ordered[middle]?.number ?? 0) <= number) from = middle + 1
      else to = middle
    }
    return from
  }
}
