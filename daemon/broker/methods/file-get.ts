// file.get: one file.
import { Refusal } from '../../../protocol/refusals.ts'
import { anyJob, type MethodOf } from './call.ts'

export const fileGet: MethodOf<'file.get'> = async ({ jobId, fileIndex }, call) => {
  const file = call.views.file(await anyJob(call, jobId), fileIndex)
  if (!file) throw new Refusal('file-not-found')
  return { file }
}
