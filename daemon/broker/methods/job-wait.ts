// job.wait: answers when the job is in one of the states. It has no turn of its own: other calls go past it.
import type { JobState } from '../../../protocol/job.ts'
import { publishesItself } from '../../core/job.ts'
import { anyJob, type MethodOf } from './call.ts'

const restingStates: readonly JobState[] = ['transferred', 'error', 'acknowledged', 'cancelled']
/** Of a job that completes itself: `transferred` passes. */
const lastStates = restingStates.filter((state) => state !== 'transferred')

export const jobWait: MethodOf<'job.wait'> = async ({ jobId, states: wanted, timeoutSeconds }, call) => {
  const job = await anyJob(call, jobId)
  const states = wanted ?? (publishesItself(job) ? lastStates : restingStates)
  if (job.endedAt !== null || states.includes(job.state)) return { job: call.views.of(job), timedOut: false }
  const timeoutMs = timeoutSeconds === undefined ? null : timeoutSeconds * 1000
  const reached = await call.waiters.wait(job.id, states, timeoutMs, call.connection)
  if (reached) return { job: call.views.of(reached), timedOut: false }
  return { job: call.views.of(await anyJob(call, jobId)), timedOut: true }
}
