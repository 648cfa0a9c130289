// What each stored state becomes when the service starts. Transfers do not outlive the process that moved them;
// everything else is as it was.
import type { JobRecord } from './job.ts'
import { isMoving } from './transitions.ts'

export function recover(job: JobRecord): JobRecord {
  return isMoving(job.state) ? { ...job, state: 'queued' } : job
}

/**
 * How long to wait, from the start on, for an instant recorded before it. The wall clock counts across a restart,
 * but a clock that was set back must not make the wait longer than it could ever have been.
 */
export function remainingMs(dueAt: number, now: number, longestMs: number): number {
  return Math.min(Math.max(0, dueAt - now), longestMs)
}
