// file.update: another remote name, or the owner's verdict on the content. "invalid" puts the job into error, with that
// file to be fetched again on resume (BITS §2.8).
import { failureContexts } from '../../../protocol/failures.ts'
import type { JobError } from '../../../protocol/job.ts'
import type { Params } from '../../../protocol/methods.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import { untouched, withFile, withProgress, type JobRecord } from '../../core/job.ts'
import { transition } from '../../core/transitions.ts'
import { now } from '../clock.ts'
import type { Change } from '../queue.ts'
import { changeableJob, type MethodOf } from './call.ts'

export const fileUpdate: MethodOf<'file.update'> = async ({ jobId, fileIndex, set }, call) => {
  const { id } = await changeableJob(call, jobId)
  if (set.remoteName !== undefined) call.policies.check(call.caller, { files: [{ remoteName: set.remoteName }] })
  const job = await call.queue.change(id, (present) => changeFile(present, fileIndex, set, call.clocks.spentMs(id)))
  const file = call.views.file(job, fileIndex)
  if (!file) throw new Refusal('file-not-found')
  return { file }
}

function changeFile(job: JobRecord, index: number, set: Params<'file.update'>['set'], spentMs: number): Change {
  const file = job.files[index]
  if (!file) throw new Refusal('file-not-found')
  if (job.endedAt !== null) throw new Refusal('invalid-state', { state: job.state })
  if (set.validation !== undefined && !file.progress.done) throw new Refusal('invalid-state', { state: job.state }, 'The file has not been transferred yet.')
  const { remoteName = file.remoteName, validation = file.progress.validation } = set
  const named: JobRecord = { ...withFile(job, index, (present) => ({ ...present, remoteName, ...(set.remoteName === undefined ? {} : { home: undefined }) })), modifiedAt: now() }
  if (set.validation !== 'invalid') return { job: withProgress(named, index, { validation }), events: [{ kind: 'modification', fileIndex: index, error: null }] }
  const rejected = transition(named, { kind: 'rejected', error: rejection(index) }, now(), spentMs)
  return { ...rejected, job: withProgress(rejected?.job ?? named, index, { ...untouched, validation: 'invalid' }) }
}

function rejection(fileIndex: number): JobError {
  return {
    context: failureContexts['validation-failed'], code: 'validation-failed', message: 'The owner found the content of the file to be invalid.',
    fileIndex, httpStatus: null, at: now(), fatal: true, retryAt: null,
  }
}
