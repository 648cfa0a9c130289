// job.cancel: the job is given up. It is cancelled on disk first; then what was downloaded is removed, and then the
// answer comes.
import { transition } from '../../core/transitions.ts'
import { now } from '../clock.ts'
import { changeableJob, type MethodOf } from './call.ts'

export const jobCancel: MethodOf<'job.cancel'> = async ({ jobId }, call) => {
  const { id } = await changeableJob(call, jobId)
  const job = await call.queue.change(id, (present) => transition(present, { kind: 'cancel' }, now(), call.clocks.spentMs(id)))
  await call.ending.removed(id)
  return { job: call.views.of(job) }
}
