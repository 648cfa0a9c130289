// file.list: the files of a job, in order.
import { invalidParams } from '../../../protocol/refusals.ts'
import { anyJob, type MethodOf } from './call.ts'

export const fileList: MethodOf<'file.list'> = async ({ jobId, limit, cursor }, call) => {
  const job = await anyJob(call, jobId)
  const from = cursor === undefined ? 0 : Number(/^\d{1,9}$/.exec(cursor)?.[0] ?? Number.NaN)
  if (Number.isNaN(from)) throw invalidParams([{ path: ['cursor'], message: 'is not one that a list has answered' }])
  const next = from + limit
  return { files: call.views.files(job, from, limit), nextCursor: next < job.files.length ? String(next) : null }
}
