// job.complete: the finished files get their local names, flushed to disk, before the answer comes.
import { publishedFiles } from '../../core/job.ts'
import { changeableJob, type MethodOf } from './call.ts'

export const jobComplete: MethodOf<'job.complete'> = async ({ jobId }, call) => {
  const { id } = await changeableJob(call, jobId)
  const { job, partial } = await call.ending.complete(id)
  await call.ending.removed(id)
  return { job: call.views.of(job), partial, files: publishedFiles(job) }
}
