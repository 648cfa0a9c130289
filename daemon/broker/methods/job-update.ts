// job.update: settings of a job; what is left out stays. All of it or nothing.
import { mergeOptions } from '../../../protocol/options.ts'
import type { JobRecord } from '../../core/job.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import { now } from '../clock.ts'
import { changeableJob, type MethodOf } from './call.ts'

export const jobUpdate: MethodOf<'job.update'> = async ({ jobId, set }, call) => {
  const { id } = await changeableJob(call, jobId)
  const job = await call.queue.change(id, (present) => {
    if (present.endedAt !== null) throw new Refusal('invalid-state', { state: present.state })
    const { options, ...plain } = set
    const changed: JobRecord = {
      ...present,
      displayName: plain.displayName ?? present.displayName,
      description: plain.description ?? present.description,
      application: plain.application === undefined ? present.application : plain.application,
      priority: plain.priority ?? present.priority,
      options: options ? mergeOptions(present.options, options) : present.options,
      modifiedAt: now(),
    }
    return { job: changed, events: [{ kind: 'modification', fileIndex: null, error: null }] }
  })
  return { job: call.views.of(job) }
}
