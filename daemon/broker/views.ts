// Jobs and files as clients see them: the record with what is true only now.
import type { File, Job, Reason } from '../../protocol/job.ts'
import type { JobRecord } from '../core/job.ts'
import { explain, viewFile, viewJob, type Live } from '../core/view.ts'
import type { LiveProgress } from './live.ts'
import type { Queue } from './queue.ts'

export interface ViewsOptions {
  readonly queue: Queue
  readonly live: LiveProgress
  readonly whyWaiting: (job: JobRecord) => 'slot' | 'priority'
}

const blockedDetail = {
  slot: 'All slots are taken; the job waits for its turn.',
  priority: 'Jobs of a higher priority go first.',
} as const

export class Views {
  readonly #options: ViewsOptions

  constructor(options: ViewsOptions) {
    this.#options = options
  }

  of(job: JobRecord): Job {
    return viewJob(job, this.#live(job))
  }

  file(job: JobRecord, index: number): File | null {
    const file = job.files[index]
    return file ? viewFile(job, file, this.#live(job)) : null
  }

  files(job: JobRecord, from: number, count: number): File[] {
    const live = this.#live(job)
    return job.files.slice(from, from + count).map((file) => viewFile(job, file, live))
  }

  explain(job: JobRecord): Reason[] {
    return explain(job, this.#live(job))
  }

  job(id: string): Job | null {
    const job = this.#options.queue.get(id)
    return job && this.of(job)
  }

  #live(job: JobRecord): Live {
    const live = this.#options.live.of(job.id)
    return job.state === 'queued' ? { ...live, blocked: this.#blocked(job) } : live
  }

  #blocked(job: JobRecord): Reason {
    const reason = this.#options.whyWaiting(job)
    return { reason, until: null, detail: blockedDetail[reason] }
  }
}
