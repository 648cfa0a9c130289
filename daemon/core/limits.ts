// May this owner have one more job, file, range? Those who are exempt are bound by none, and their jobs use up
// nobody's room (contract rule 2).
import type { FileSpec } from '../../protocol/job.ts'
import { Refusal } from '../../protocol/refusals.ts'

export interface Limits {
  readonly jobsPerMachine: number
  readonly jobsPerUser: number
  readonly filesPerJob: number
  readonly rangesPerFile: number
}

/** Unfinished jobs of those who are bound by the limits. */
export interface JobCounts {
  readonly onMachine: number
  readonly ofUser: number
}

/** The user's limit is named first: it is the one that he can do something about. */
export function checkJobCount(limits: Limits, counts: JobCounts, isExempt: boolean): void {
  if (isExempt) return
  if (counts.ofUser >= limits.jobsPerUser) throw new Refusal('too-many-jobs-of-user', { limit: limits.jobsPerUser })
  if (counts.onMachine >= limits.jobsPerMachine) throw new Refusal('too-many-jobs-on-machine', { limit: limits.jobsPerMachine })
}

export function checkFiles(limits: Limits, present: number, files: readonly FileSpec[], isExempt: boolean): void {
  if (isExempt) return
  if (present + files.length > limits.filesPerJob) throw new Refusal('too-many-files-in-job', { limit: limits.filesPerJob })
  files.forEach((file, at) => {
    if ((file.ranges?.length ?? 0) > limits.rangesPerFile) {
      throw new Refusal('too-many-ranges-in-file', { limit: limits.rangesPerFile, path: ['files', at, 'ranges'] })
    }
  })
}
