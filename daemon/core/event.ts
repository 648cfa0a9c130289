// The durable record that something happened to a job. It is written in the same batch as the change that caused it.
import type { JobError } from '../../protocol/job.ts'
import type { EventKind } from '../../protocol/options.ts'
import { publishesItself, raises, type JobRecord } from './job.ts'
import type { NewEvent } from './transitions.ts'

export interface StoredEvent {
  /** Rises strictly, over all owners and restarts. */
  readonly sequence: number
  /** The same at every attempt and replay. */
  readonly deliveryId: string
  readonly kind: Exclude<EventKind, 'modification'> | 'created' | 'state' | 'ended'
  readonly at: number
  readonly jobId: string
  readonly ownerId: string
  readonly fileIndex: number | null
  readonly error: JobError | null
}

/** Events of these kinds wait in the outbox until an endpoint or the notify command acknowledged them. */
export function isDelivered(kind: StoredEvent['kind']): kind is 'transferred' | 'error' | 'file-transferred' | 'file-ranges-transferred' {
  return kind === 'transferred' || kind === 'error' || kind === 'file-transferred' || kind === 'file-ranges-transferred'
}

/**
 * Whoever completes a job knows of it. Where the job completed itself, its owner is told afterwards, for as long as the job is in the
 * history. An error of before is over.
 */
export function outlivesEnd(job: JobRecord, kind: StoredEvent['kind']): boolean {
  return job.state === 'acknowledged' && publishesItself(job) && kind !== 'error'
}

/** Which of a change's events are stored: `modification` is a flag, not a record, and a kind that the job does not raise is none. */
export function isStored(job: JobRecord, event: NewEvent): event is NewEvent & { kind: StoredEvent['kind'] } {
  if (event.kind === 'modification') return false
  return event.kind === 'created' || event.kind === 'state' || event.kind === 'ended' || raises(job, event.kind)
}
