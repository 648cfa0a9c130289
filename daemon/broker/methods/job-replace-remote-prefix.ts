// job.replaceRemotePrefix: the start of every matching remote name becomes another one (BITS §2.4). A job that moves is stopped for
// it and goes on, under the new names, when it has a slot again.
import { replacePrefix } from '../../core/replace-prefix.ts'
import { now } from '../clock.ts'
import { changeableJob, type MethodOf } from './call.ts'

export const jobReplaceRemotePrefix: MethodOf<'job.replaceRemotePrefix'> = async ({ jobId, oldPrefix, newPrefix }, call) => {
  const found = await changeableJob(call, jobId)
  const { job: wanted, replaced } = replacePrefix(found, oldPrefix, newPrefix, now())
  call.policies.check(call.caller, { files: wanted.files })
  if (replaced === 0) return { job: call.views.of(found), replaced }
  const job = await call.ending.atRest(found.id, async () => await call.queue.change(found.id, (present) => ({
    job: replacePrefix(present, oldPrefix, newPrefix, now()).job, events: [{ kind: 'modification', fileIndex: null, error: null }],
  })))
  return { job: call.views.of(job), replaced }
}
