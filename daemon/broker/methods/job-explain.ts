// job.explain: why a job is not moving, the nearest cause first.
import { anyJob, type MethodOf } from './call.ts'

export const jobExplain: MethodOf<'job.explain'> = async ({ jobId }, call) => {
  return { reasons: call.views.explain(await anyJob(call, jobId)) }
}
