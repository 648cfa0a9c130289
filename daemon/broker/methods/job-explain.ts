// job.explain: why a job is not moving, the nearest cause first. Where its notify command is at work, that is said with the state
// that it is run for.
import { anyJob, type MethodOf } from './call.ts'

export const jobExplain: MethodOf<'job.explain'> = async ({ jobId }, call) => {
  const job = await anyJob(call, jobId)
  const command = call.notifier.command(job.id)
  return {
    reasons: call.views.explain(job).map((why) => {
      if (!command || (why.reason !== 'transferred' && why.reason !== 'error')) return why
      return { ...why, until: why.until ?? command.until, detail: `${why.detail ?? ''} ${command.detail}`.trim() }
    }),
  }
}
