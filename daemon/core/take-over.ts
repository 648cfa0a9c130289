// A job with another owner (BITS §9.4): what was given to the one before and not to the next, his secrets and his program, is gone;
// files, progress and settings stay. The token was a name that the owner before gave the job; he may make another under it.
import type { Caller } from './access.ts'
import type { FormerOwner, JobRecord } from './job.ts'

/** Who the owner before is to the file system. `root` could have written everything; `trusted`: all local names so far count as the new owner's. */
export type Before = Omit<FormerOwner, 'files'> | 'root' | 'trusted'

export function takenOver(job: JobRecord, { id, name, isExempt }: Caller, before: Before, now: number): JobRecord {
  const { options } = job
  return {
    ...job,
    owner: { id, name },
    exempt: isExempt,
    clientToken: null,
    former: formerOwners(job, before),
    modifiedAt: now,
    options: { ...options, notify: { ...options.notify, command: null }, http: { ...options.http, headers: {}, sendHeadersTo: [] } },
  }
}

function formerOwners({ former = [], files }: JobRecord, before: Before): readonly FormerOwner[] {
  if (before === 'trusted') return []
  if (before === 'root') return former
  return [...former.filter(({ uid }) => uid !== before.uid), { ...before, files: files.length }]
}
