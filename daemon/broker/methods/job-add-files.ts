// job.addFiles: all or none. A transferred job becomes suspended by it; one in error stays in error.
import { newFiles } from '../../core/job.ts'
import { checkFiles } from '../../core/limits.ts'
import { transition, type NewEvent } from '../../core/transitions.ts'
import { now } from '../clock.ts'
import { changeableJob, type MethodOf } from './call.ts'
import { checkLocalNames } from './job-create.ts'

const modification: NewEvent = { kind: 'modification', fileIndex: null, error: null }

export const jobAddFiles: MethodOf<'job.addFiles'> = async ({ jobId, files }, call) => {
  const { id } = await changeableJob(call, jobId)
  checkLocalNames(files, call.instance.platform)
  call.policies.check(call.caller, { files })
  let first = 0
  const job = await call.queue.change(id, (present) => {
    const next = transition(present, { kind: 'files-added' }, now())
    checkFiles(call.limits(), present.files.length, files, call.caller.isExempt)
    first = present.files.length
    const { job: base, events, effects } = next ?? { job: { ...present, modifiedAt: now() }, events: [modification], effects: [] }
    return { job: { ...base, files: [...base.files, ...newFiles(files, first)] }, events, effects }
  })
  void call.transfers.filesAdded(id)
  return { job: call.views.of(job), files: call.views.files(job, first, files.length) }
}
