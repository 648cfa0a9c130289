// job.suspend: stopped until it is resumed; what is flushed stays.
import { transition } from '../../core/transitions.ts'
import { now } from '../clock.ts'
import { changeableJob, type MethodOf } from './call.ts'

export const jobSuspend: MethodOf<'job.suspend'> = async ({ jobId }, call) => {
  const { id } = await changeableJob(call, jobId)
  const job = await call.queue.change(id, (present) => transition(present, { kind: 'suspend' }, now(), call.clocks.spentMs(id)))
  return { job: call.views.of(job) }
}
