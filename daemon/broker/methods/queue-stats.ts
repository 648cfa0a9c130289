// queue.stats: counts by state and owner; a user sees his own, an admin everybody's.
import { jobStates, type JobState, type Owner } from '../../../protocol/job.ts'
import type { JobRecord } from '../../core/job.ts'
import { mayTouch } from '../../core/access.ts'
import type { MethodOf } from './call.ts'

interface Counted { readonly owner: Owner; total: number; readonly byState: Partial<Record<JobState, number>> }

export const queueStats: MethodOf<'queue.stats'> = (_, { queue, live, limits, caller }) => {
  const jobs = [...queue.all()].filter((job) => job.endedAt === null && mayTouch(caller, job))
  const byOwner = new Map<string, Counted>()
  for (const job of jobs) count(byOwner, job)
  const counts = [...byOwner.values()]
  const byState = Object.fromEntries(jobStates.map((state) => [state, counts.reduce((sum, owner) => sum + (owner.byState[state] ?? 0), 0)])) as Record<JobState, number>
  const bytesPerSecond = jobs.reduce((sum, job) => sum + live.of(job.id).bytesPerSecond, 0)
  const { jobsPerMachine, jobsPerUser, filesPerJob, rangesPerFile } = limits()
  return {
    jobs: { total: jobs.length, byState, byOwner: counts },
    bytesPerSecond: Math.round(bytesPerSecond),
    limits: { jobsPerMachine, jobsPerUser, filesPerJob, rangesPerFile },
  }
}

function count(byOwner: Map<string, Counted>, job: JobRecord): void {
  const counted = byOwner.get(job.owner.id) ?? { owner: job.owner, total: 0, byState: {} }
  byOwner.set(job.owner.id, counted)
  counted.total++
  counted.byState[job.state] = (counted.byState[job.state] ?? 0) + 1
}
