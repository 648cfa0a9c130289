// Other remote names for the files of a job whose names begin alike (BITS §2.4): case-sensitive, all that match or none.
// What is finished stays finished; where partial data may go on, the next attempt's validators prove or it starts again.
import { invalidParams } from '../../protocol/refusals.ts'
import { remoteName } from '../../protocol/schema.ts'
import type { JobRecord } from './job.ts'

export interface Replaced {
  readonly job: JobRecord
  readonly replaced: number
}

/** @throws Refusal `invalid-params` where a result would be no remote name, or too long for one */
export function replacePrefix(job: JobRecord, oldPrefix: string, newPrefix: string, now: number): Replaced {
  let replaced = 0
  const files = job.files.map((file) => {
    if (!file.remoteName.startsWith(oldPrefix)) return file
    replaced++
    const checked = remoteName.safeParse(newPrefix + file.remoteName.slice(oldPrefix.length))
    if (checked.success) return { ...file, remoteName: checked.data, home: undefined }
    throw invalidParams([{ path: ['newPrefix'], message: `the remote name of file ${file.index} would be none: ${checked.error.issues[0]?.message ?? ''}` }])
  })
  return replaced === 0 ? { job, replaced } : { job: { ...job, files, modifiedAt: now }, replaced }
}
