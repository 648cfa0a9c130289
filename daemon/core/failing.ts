// What a failure does to a job: judged by `retry.ts`, entered by `transitions.ts`.
import type { Failure } from '../../protocol/failures.ts'
import type { JobRecord } from './job.ts'
import { judgeFailure } from './retry.ts'
import { transition, type Transition } from './transitions.ts'

export interface FailedAt {
  readonly fileIndex: number | null
  readonly now: number
  readonly served: number
  readonly ownFaults: number
  /** How long the job's trouble has lasted, and how long it moved since its record was written; monotonic. */
  readonly troubledForMs: number
  readonly spentMs: number
}

/** `null` where the job is in a state in which a failure does not matter any more. */
export function failJob(job: JobRecord, failure: Failure, at: FailedAt): Transition | null {
  const { error, troubledSince, retryInMs } = judgeFailure({
    failure, options: job.options, ...at, troubledSince: job.troubledSince,
    // Bytes came with this very report: the clock does not know of them yet.
    troubledForMs: job.troubledSince === null ? 0 : at.troubledForMs,
  })
  const happening = retryInMs === null ? { kind: 'failed-fatal', error } as const : { kind: 'failed-transient', error, troubledSince } as const
  return transition(job, happening, at.now, at.spentMs)
}
