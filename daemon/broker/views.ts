// Jobs and files as clients see them: the record with what is true only now.
import type { File, Job, Reason } from '../../protocol/job.ts'
import type { JobRecord } from '../core/job.ts'
import { explain, still, viewFile, viewJob, type Live } from '../core/view.ts'
import type { LiveProgress } from './live.ts'
import type { Queue } from './queue.ts'

export interface ViewsOptions {
  readonly queue: Queue
  readonly live: LiveProgress
  readonly whyWaiting: (job: JobRecord) => 'slot' | 'priority' | 'slow'
}

/** Of a job that is queued and does not move. */
const waiting = {
  slot: { ...still, blocked: { reason: 'slot', until: null, detail: 'All slots are taken; the job waits for its turn.' } },
  priority: { ...still, blocked: { reason: 'priority', until: null, detail: 'Jobs of a higher priority go first.' } },
  slow: { ...still, blocked: { reason: 'slot', until: null, detail: 'The job moved less than `minimumBytesPerSecond` for a time slice and gave its slot to a job that could move.' } },
} as const satisfies Record<string, Live>

export class Views {
  readonly #options: ViewsOptions
  readonly #texts = new WeakMap<JobRecord, { readonly live: Live; readonly text: string }>()

  constructor(options: ViewsOptions) {
    this.#options = options
  }

  of(job: JobRecord): Job {
    return viewJob(job, this.#live(job))
  }

  /**
   * The same as JSON. Lists are asked for again and again while most jobs rest: what was said of a record is kept with it,
   * and said again while the same is true of it now.
   */
  json(job: JobRecord): string {
    const live = this.#live(job)
    const known = this.#texts.get(job)
    if (known?.live === live) return known.text
    const text = JSON.stringify(viewJob(job, live))
    this.#texts.set(job, { live, text })
    return text
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
    if (job.state !== 'queued') return live
    const queued = waiting[this.#options.whyWaiting(job)]
    return live === still ? queued : { ...live, blocked: queued.blocked }
  }
}
