// What each stored state becomes when the service starts. Transfers do not outlive the process that moved them;
// everything else is as it was.
import { isDone, type JobRecord } from './job.ts'
import { isMoving } from './transitions.ts'

export function recover(job: JobRecord): JobRecord {
  // The second only where the queue was damaged: the record that a file is done was lost, so it is fetched again.
  const mustMove = isMoving(job.state) || (job.state === 'transferred' && !isDone(job))
  return mustMove ? { ...job, state: 'queued', transferredAt: null, stateEvent: null } : job
}

/** A job that would go on lacking something that its owner gave it waits for him. */
export function heldBack(job: JobRecord): JobRecord {
  const goesOn = isMoving(job.state) || job.state === 'queued' || job.state === 'transient-error'
  return goesOn ? { ...job, state: 'suspended', error: null } : job
}

/**
 * How long to wait, from the start on, for an instant recorded before it. The wall clock counts across a restart,
 * but a clock that was set back must not make the wait longer than it could ever have been.
 */
export function remainingMs(dueAt: number, now: number, longestMs: number): number {
  return Math.min(Math.max(0, dueAt - now), longestMs)
}
