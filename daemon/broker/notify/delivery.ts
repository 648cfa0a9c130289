// What is said in one callback, and what may be said when: pure. A delivery is one event on its way to one
// registration; the event itself is in the queue until somebody has acknowledged it.
import { callbackOfKind, type CallbackName } from '../../../protocol/events.ts'
import type { EventKind } from '../../../protocol/options.ts'
import type { File, Job } from '../../../protocol/job.ts'
import { hasEnded } from '../../../protocol/job.ts'
import { isDelivered, type StoredEvent } from '../../core/event.ts'
import { publishedFiles, raises, type JobRecord } from '../../core/job.ts'

/** Jobs and files as clients see them. */
export interface Views {
  of(job: JobRecord): Job
  file(job: JobRecord, index: number): File | null
}

export type DeliveredKind = Exclude<EventKind, 'modification'>
export type DeliveredEvent = StoredEvent & { readonly kind: DeliveredKind }

export function isDeliveredEvent(event: StoredEvent): event is DeliveredEvent {
  return isDelivered(event.kind)
}

/** The event that told of the job's present state, also after it was acknowledged. */
export function presentEvent(job: JobRecord): DeliveredEvent | null {
  const { stateEvent, id, owner, error } = job
  if (!stateEvent || stateEvent.kind !== job.state) return null
  return { ...stateEvent, at: job.modifiedAt, jobId: id, ownerId: owner.id, fileIndex: error?.fileIndex ?? null, error }
}

/**
 * What a new registration is told of a job at once (contract §4 rule 3), in the order of sequence: every stored event
 * that nobody acknowledged, and the event of the present state in any case.
 */
export function replayOf(job: JobRecord, unacknowledged: readonly StoredEvent[], kinds: ReadonlySet<EventKind>): DeliveredEvent[] {
  const isWanted = (event: DeliveredEvent): boolean => kinds.has(event.kind) && raises(job, event.kind)
  const events = unacknowledged.filter(isDeliveredEvent).filter(isWanted)
  const present = presentEvent(job)
  if (present && isWanted(present) && !events.some(({ sequence }) => sequence === present.sequence)) events.push(present)
  return events.sort((a, b) => a.sequence - b.sequence)
}

/**
 * The last sequence number that may be told of now (rule 8): what comes after a `file-transferred` waits until that is
 * acknowledged, as long as there is an endpoint for it.
 */
export function lastToTell(job: JobRecord, unacknowledged: readonly StoredEvent[], hasFileEndpoint: boolean): number {
  if (!hasFileEndpoint || !raises(job, 'file-transferred')) return Infinity
  return unacknowledged.find(({ kind }) => kind === 'file-transferred')?.sequence ?? Infinity
}

export interface Envelope {
  readonly registrationId: string
  readonly deliveryId: string
  readonly sequence: number
  readonly attempt: number
}

export interface Callback {
  readonly method: CallbackName
  readonly params: object
}

/** `null` where the file that the event is about is not there any more. */
export function callbackOf(event: DeliveredEvent, envelope: Envelope, job: JobRecord, views: Views): Callback | null {
  const method = callbackOfKind[event.kind]
  const params = { ...envelope, job: views.of(job) }
  if (event.kind === 'transferred') return { method, params: { ...params, ...(hasEnded(job.state) && { files: publishedFiles(job) }) } }
  if (event.kind === 'error') return { method, params: { ...params, error: event.error } }
  const file = event.fileIndex === null ? null : views.file(job, event.fileIndex)
  if (!file) return null
  if (event.kind === 'file-transferred') return { method, params: { ...params, file } }
  return { method, params: { ...params, file, ranges: file.ranges ?? [{ offset: 0, length: null }] } }
}
