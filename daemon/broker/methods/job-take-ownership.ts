// job.takeOwnership: the calling admin becomes the owner (BITS §9.4). Nothing of the job moves meanwhile. The new owner must be able to go
// on with every file, and the owner before must have been: else his names would have another's rights. Processes of both try it first.
import { Refusal } from '../../../protocol/refusals.ts'
import { requireAdmin } from '../../core/access.ts'
import type { FileRecord, JobRecord } from '../../core/job.ts'
import { takenOver } from '../../core/take-over.ts'
import { now } from '../clock.ts'
import { asFormerOwner } from '../former-owner.ts'
import { changeableJob, type Call, type MethodOf } from './call.ts'

export const jobTakeOwnership: MethodOf<'job.takeOwnership'> = async ({ jobId, trustLocalNames }, call) => {
  const found = await changeableJob(call, jobId)
  requireAdmin(call.caller)
  if (found.owner.id === call.caller.id) return { job: call.views.of(found) }
  const before = trustLocalNames ? 'trusted' : await asFormerOwner(found.owner.id)
  const job = await call.ending.atRest(found.id, async (present) => {
    if (!trustLocalNames) await refuseNotHis(present, call)
    await refuseUnreachable(takenOver(present, call.caller, before, now()), call)
    return await call.queue.change(found.id, (at) => ({
      job: takenOver(at, call.caller, before, now()), events: [{ kind: 'modification', fileIndex: null, error: null }],
    }))
  })
  return { job: call.views.of(job) }
}

/** What only he can be asked: rights beyond the mode of a folder. He may have no process any more, and may lie; the new owner's looks too. */
async function refuseNotHis(job: JobRecord, call: Call): Promise<void> {
  const files = unpublished(job)
  const failures = await call.ending.probe(job, files)
  refuse(files, failures.map((found) => found?.code === 'access-denied' ? found : null), 'The owner could not have written all files of the job.')
}

/** A folder that is not there (yet) is not one that he may not touch. */
async function refuseUnreachable(job: JobRecord, call: Call): Promise<void> {
  const files = unpublished(job)
  const failures = await call.ending.probe(job, files)
  const inTheWay = failures.map((found) => found?.code === 'folder-not-found' || found?.code === 'volume-changed' ? null : found)
  refuse(files, inTheWay, 'The new owner may not touch all files of the job, or not for the owner before.')
}

function unpublished(job: JobRecord): FileRecord[] {
  return job.files.filter(({ progress }) => !progress.published)
}

function refuse(files: readonly FileRecord[], failures: Awaited<ReturnType<Call['ending']['probe']>>, sentence: string): void {
  const denied = files.flatMap(({ index, localName }, at) => {
    const found = failures[at]
    return found ? [{ index, localName, code: found.code, message: found.message }] : []
  })
  if (denied.length > 0) throw new Refusal('access-denied', { files: denied }, sentence)
}
