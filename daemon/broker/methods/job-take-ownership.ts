// job.takeOwnership: the calling admin becomes the owner (BITS §9.4). Nothing of the job moves meanwhile, and the new owner must be
// able to go on with every file: a process that is he tries it first.
import { Refusal } from '../../../protocol/refusals.ts'
import { requireAdmin } from '../../core/access.ts'
import type { JobRecord } from '../../core/job.ts'
import { takenOver } from '../../core/take-over.ts'
import { now } from '../clock.ts'
import { changeableJob, type Call, type MethodOf } from './call.ts'

export const jobTakeOwnership: MethodOf<'job.takeOwnership'> = async ({ jobId }, call) => {
  const found = await changeableJob(call, jobId)
  requireAdmin(call.caller)
  if (found.owner.id === call.caller.id) return { job: call.views.of(found) }
  const job = await call.ending.atRest(found.id, async (present) => {
    await refuseUnreachable(present, call)
    return await call.queue.change(found.id, (at) => ({
      job: takenOver(at, call.caller, now()), events: [{ kind: 'modification', fileIndex: null, error: null }],
    }))
  })
  return { job: call.views.of(job) }
}

/** A folder that is not there (yet) is not one that he may not touch. */
async function refuseUnreachable(job: JobRecord, call: Call): Promise<void> {
  const files = job.files.filter(({ progress }) => !progress.published)
  const failures = await call.ending.probe({ ...job, owner: { id: call.caller.id, name: call.caller.name } }, files)
  const denied = files.flatMap(({ index, localName }, at) => {
    const found = failures[at]
    return found && found.code !== 'folder-not-found' ? [{ index, localName, code: found.code, message: found.message }] : []
  })
  if (denied.length > 0) throw new Refusal('access-denied', { files: denied }, 'The new owner may not touch all files of the job.')
}
