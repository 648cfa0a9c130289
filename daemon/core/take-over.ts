// A job with another owner (BITS §9.4): what was given to the one before and not to the next, his secrets and his program, is gone;
// files, progress and settings stay. The token was a name that the owner before gave the job; he may make another under it.
import type { Caller } from './access.ts'
import type { JobRecord } from './job.ts'

export function takenOver(job: JobRecord, { id, name, isExempt }: Caller, now: number): JobRecord {
  const { options } = job
  return {
    ...job,
    owner: { id, name },
    exempt: isExempt,
    clientToken: null,
    modifiedAt: now,
    options: { ...options, notify: { ...options.notify, command: null }, http: { ...options.http, headers: {} } },
  }
}
