// Asks an owner's worker to do something with the files of a job, and gives one outcome for each. Every order may be repeated.
import type { FailureCode } from '../../protocol/failures.ts'
import { formerOwnersOf, temporaryName, type FileRecord, type JobRecord } from '../core/job.ts'
import type { LocalFile } from '../link/messages.ts'
import type { Log } from '../log.ts'
import { copyOf } from './transfer-order.ts'
import type { WorkerSource } from './workers/worker-link.ts'

export type Found = { readonly code: FailureCode; readonly message: string }
export type Failures = readonly (Found | null)[]
interface Outcomes {
  readonly failures: Failures
  readonly copies?: readonly number[] | undefined
}

export class OwnerFiles {
  readonly #workers: WorkerSource
  readonly #log: Log

  constructor(workers: WorkerSource, log: Log) {
    this.#workers = workers
    this.#log = log
  }

  /** Every order may be repeated, so a worker that dies of something else in the middle costs nothing but another one. */
  async ask(job: JobRecord, order: 'files.publish' | 'files.remove' | 'files.probe', files: readonly FileRecord[]): Promise<Outcomes> {
    const outcomes = await this.#askOne(job, order, files) ?? await this.#askOne(job, order, files)
    return outcomes ?? { failures: files.map(() => ({ code: 'worker-lost', message: 'The process that runs as the owner could not do it.' })) }
  }

  /** `null`: the worker was lost. */
  async #askOne(job: JobRecord, order: 'files.publish' | 'files.remove' | 'files.probe', files: readonly FileRecord[]): Promise<Outcomes | null> {
    try {
      const worker = await this.#workers.workerOf(job.owner.id)
      const release = worker.hold()
      try {
        const outcomes: Outcomes = await worker.request(order, { files: files.map((file) => localFileOf(job, file)) })
        const { failures, copies = failures } = outcomes
        if (failures.length !== files.length || copies.length !== files.length) worker.end('it answered about other files than those it was asked for')
        else return outcomes
      } finally {
        release()
      }
    } catch (error) {
      this.#log.warn({ err: error, jobId: job.id, order }, 'a worker could not do what was asked')
    }
    return null
  }
}

function localFileOf(job: JobRecord, file: FileRecord): LocalFile {
  const { resumePoint } = file.progress
  return {
    localName: file.localName,
    temporaryName: temporaryName(job.id, file.index),
    former: formerOwnersOf(job, file),
    onConflict: job.options.onConflict,
    resumePoint: resumePoint && copyOf(resumePoint),
  }
}
