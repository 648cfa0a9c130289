// job.resume: into the queue, or another try now.
import { transition } from '../../core/transitions.ts'
import { now } from '../clock.ts'
import { changeableJob, type MethodOf } from './call.ts'

export const jobResume: MethodOf<'job.resume'> = async ({ jobId }, call) => {
  const { id, files, options } = await changeableJob(call, jobId)
  // It may have become narrower since the job was made.
  call.policies.check(call.caller, { files, hasCommand: options.notify.command !== null })
  const job = await call.queue.change(id, (present) => transition(present, { kind: 'resume' }, now(), call.clocks.spentMs(id)))
  return { job: call.views.of(job) }
}
