// The state machine of a job (BITS §1.4, §1.5): a total table of state × happening, and the one function that makes
// the next record. Nothing else in the program assigns a job's state.
//
//   suspended        made, or stopped by its owner; never scheduled.
//   queued           ready; waits for a slot.
//   connecting       has a slot; no byte of this attempt is here yet.
//   transferring     bytes are moving.
//   transient-error  a failure that may pass; tried again at `error.retryAt`.
//   error            a failure that somebody must look at.
//   transferred      every byte is here; waits for its owner to complete it.
//   acknowledged     completed: its files lie under their local names. Final.
//   cancelled        given up or expired: nothing of it is left. Final.
import { hasEnded, type JobError, type JobState } from '../../protocol/job.ts'
import { Refusal } from '../../protocol/refusals.ts'
import type { EventKind } from '../../protocol/options.ts'
import { isDone, publishesItself, type JobRecord } from './job.ts'

/** What the machine reacts to: a call of the owner, a report about the transfer, or a time that has come. */
export type Happening =
  | { readonly kind: 'resume' | 'suspend' | 'cancel' | 'files-added' }
  /** The finished files lie under their local names. */
  | { readonly kind: 'published' }
  | { readonly kind: 'slot-given' | 'connected' | 'all-done' }
  /** The time slice is over, or a job of higher priority wants the slot, or the service stops. */
  | { readonly kind: 'slot-taken' }
  | { readonly kind: 'failed-transient'; readonly error: JobError; readonly troubledSince: number | null }
  | { readonly kind: 'failed-fatal'; readonly error: JobError }
  /** A job that completes itself cannot. */
  | { readonly kind: 'not-published'; readonly error: JobError }
  /** The owner judged a file's content to be wrong. */
  | { readonly kind: 'rejected'; readonly error: JobError }
  | { readonly kind: 'retry-due' }
  | { readonly kind: 'no-progress' | 'busy-too-long'; readonly error: JobError }
  | { readonly kind: 'expired' }
export type HappeningKind = Happening['kind']

/** Carried out after the commit, never before. */
export type Effect = 'stop-transfers' | 'remove-partial-files' | 'publish'

export interface NewEvent {
  readonly kind: EventKind | 'created' | 'state' | 'ended'
  readonly fileIndex: number | null
  readonly error: JobError | null
}

export interface Transition {
  readonly job: JobRecord
  readonly events: readonly NewEvent[]
  readonly effects: readonly Effect[]
}

/** A state to go to; `stay`: succeeds and changes nothing; `refuse`: the call is not legal here. */
type Cell = JobState | 'stay' | 'refuse'

/** Nobody completes what waits for it: its owner is told once more, before the download is given up. */
export function warned(job: JobRecord): Transition {
  const of = (kind: NewEvent['kind']): NewEvent => ({ kind, fileIndex: null, error: null })
  return { job, events: [of('state'), of('transferred')], effects: [] }
}

const ended = {
  'resume': 'refuse', 'suspend': 'refuse', 'cancel': 'refuse', 'files-added': 'refuse', 'published': 'refuse',
  'slot-given': 'stay', 'slot-taken': 'stay', 'connected': 'stay', 'all-done': 'stay',
  'failed-transient': 'stay', 'failed-fatal': 'stay', 'not-published': 'stay', 'rejected': 'refuse',
  'retry-due': 'stay', 'no-progress': 'stay', 'busy-too-long': 'stay', 'expired': 'stay',
} as const satisfies Record<HappeningKind, Cell>

// What is the same in every state that has not ended, unless the table below says otherwise. Reports that come
// late, after the job was stopped, change nothing.
const open = {
  ...ended,
  'resume': 'stay', 'suspend': 'suspended', 'cancel': 'cancelled', 'files-added': 'stay', 'published': 'acknowledged',
  'rejected': 'error', 'expired': 'cancelled',
} as const satisfies Record<HappeningKind, Cell>

const moving = {
  ...open,
  'slot-taken': 'queued', 'all-done': 'transferred',
  'failed-transient': 'transient-error', 'failed-fatal': 'error', 'busy-too-long': 'error',
} as const satisfies Record<HappeningKind, Cell>

export const transitionTable = {
  'suspended': { ...open, 'resume': 'queued', 'suspend': 'stay' },
  'queued': { ...open, 'slot-given': 'connecting' },
  'connecting': { ...moving, 'connected': 'transferring' },
  'transferring': moving,
  'transient-error': { ...open, 'resume': 'queued', 'retry-due': 'queued', 'no-progress': 'error' },
  'error': { ...open, 'resume': 'queued', 'suspend': 'stay', 'rejected': 'error' },
  'transferred': { ...open, 'suspend': 'stay', 'files-added': 'suspended', 'not-published': 'error' },
  'acknowledged': ended,
  'cancelled': ended,
} as const satisfies Record<JobState, Record<HappeningKind, Cell>>

export function isMoving(state: JobState): state is 'connecting' | 'transferring' {
  return state === 'connecting' || state === 'transferring'
}

/**
 * The next record with what must follow from it, or `null` where the happening changes nothing.
 * @param spentMs time in connecting and transferring that is not in the record yet
 * @throws Refusal `invalid-state`, `empty-job`
 */
export function transition(job: JobRecord, happening: Happening, now: number, spentMs: number = 0): Transition | null {
  const cell: Cell = transitionTable[job.state][happening.kind]
  if (cell === 'refuse') throw new Refusal('invalid-state', { state: job.state })
  if (happening.kind === 'resume' && job.state === 'suspended' && job.files.length === 0) throw new Refusal('empty-job')
  if (cell === 'stay') return null
  return enter(job, cell, happening, now, spentMs)
}

function enter(job: JobRecord, state: JobState, happening: Happening, now: number, spentMs: number): Transition {
  const error = 'error' in happening ? happening.error : null
  const isFresh = happening.kind === 'resume'
  const next: JobRecord = {
    ...job,
    state,
    modifiedAt: now,
    error,
    errorCount: job.errorCount + (error ? 1 : 0),
    troubledSince: happening.kind === 'failed-transient' ? happening.troubledSince : isFresh || error ? null : job.troubledSince,
    busyMs: isFresh ? 0 : job.busyMs + spentMs,
    transferredAt: state === 'transferred' ? now : hasEnded(state) ? job.transferredAt : null,
    endedAt: hasEnded(state) ? now : null,
    stateEvent: null,
    started: job.started || isMoving(state),
    cleaning: hasEnded(state) && job.started && job.files.some(({ progress }) => !progress.published),
  }
  return { job: next, events: eventsOf(next), effects: effectsOf(job.state, next) }
}

function eventsOf(job: JobRecord): NewEvent[] {
  const { state, error } = job
  const of = (kind: NewEvent['kind']): NewEvent => ({ kind, fileIndex: kind === 'error' ? error?.fileIndex ?? null : null, error })
  // A job that completes itself is all there for its owner once its files are published.
  if (state === 'acknowledged' && publishesItself(job) && isDone(job)) return [of('state'), of('transferred'), of('ended')]
  if (hasEnded(state)) return [of('state'), of('ended')]
  if (state === 'transferred' && publishesItself(job)) return [of('state')]
  if (state === 'transferred') return [of('state'), of('transferred')]
  if (state === 'error') return [of('state'), of('error')]
  return [of('state'), of('modification')]
}

function effectsOf(from: JobState, job: JobRecord): Effect[] {
  const to = job.state
  const effects: Effect[] = []
  if (isMoving(from) && !isMoving(to)) effects.push('stop-transfers')
  if (hasEnded(to)) effects.push('remove-partial-files')
  if (to === 'transferred' && publishesItself(job)) effects.push('publish')
  return effects
}
