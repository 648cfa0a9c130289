// Jobs that ended by themselves while events of theirs were still to be told. Their records are in the history; here are those that
// somebody is being told of now, so that telling need not wait for the disk.
import { hasEnded } from '../../../protocol/job.ts'
import type { JobRecord } from '../../core/job.ts'
import type { Queue } from '../queue.ts'

export class EndedJobs {
  readonly #queue: Queue
  readonly #past: { get(id: string): Promise<JobRecord | null> }
  readonly #jobs = new Map<string, JobRecord>()

  constructor(queue: Queue, past: { get(id: string): Promise<JobRecord | null> }) {
    this.#queue = queue
    this.#past = past
  }

  /** A job of the queue, or one of these. */
  readonly of = (id: string): JobRecord | null => this.#queue.get(id) ?? this.#jobs.get(id) ?? null

  keep(job: JobRecord): void {
    this.#jobs.set(job.id, job)
  }

  drop(id: string): void {
    this.#jobs.delete(id)
  }

  /** Those that ended and have something to tell, of this owner or among these ids; also the ones that end while the others are read. */
  async load(isWanted: (event: { readonly jobId: string; readonly ownerId: string }) => boolean): Promise<readonly JobRecord[]> {
    for (;;) {
      const ids = this.#queue.endedWithEvents(isWanted)
      const missing = ids.filter((id) => !this.of(id))
      if (missing.length === 0) return ids.map((id) => this.of(id)).filter((job) => job !== null).filter(({ state }) => hasEnded(state))
      for (const id of missing) await this.#read(id)
    }
  }

  async #read(id: string): Promise<void> {
    const job = await this.#past.get(id)
    // History that was forgotten has nothing to tell.
    if (job) this.keep(job)
    else this.#queue.forgetEvents(id)
  }
}
