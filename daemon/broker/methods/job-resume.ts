// job.resume: into the queue, or another try now.
import { transition } from '../../core/transitions.ts'
import { now } from '../clock.ts'
import { changeableJob, type MethodOf } from './call.ts'

export const jobResume: MethodOf<'job.resume'> = async ({ jobId }, call) => {
  const { id } = await changeableJob(call, jobId)
  const job = await call.queue.change(id, (present) => transition(present, { kind: 'resume' }, now(), call.clocks.spentMs(id)))
  return { job: call.views.of(job) }
}
