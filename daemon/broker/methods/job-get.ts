// job.get: one job, also after it ended.
import { mayTouch } from '../../core/access.ts'
import { anyJob, type MethodOf } from './call.ts'

export const jobGet: MethodOf<'job.get'> = ({ jobId }, call) => {
  const present = call.queue.get(jobId)
  // What is in memory is answered in the same turn of the event loop.
  if (present && mayTouch(call.caller, present)) return { job: call.views.of(present) }
  return anyJob(call, jobId).then((job) => ({ job: call.views.of(job) }))
}
