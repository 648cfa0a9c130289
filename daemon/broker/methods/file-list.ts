// file.list: the files of a job, in order.
import { JsonText } from '../../../protocol/peer.ts'
import { invalidParams } from '../../../protocol/refusals.ts'
import { anyJob, type MethodOf } from './call.ts'
import { isFull, pageOf } from './pages.ts'

export const fileList: MethodOf<'file.list'> = async ({ jobId, limit, cursor }, call) => {
  const job = await anyJob(call, jobId)
  const from = cursor === undefined ? 0 : Number(/^\d{1,9}$/.exec(cursor)?.[0] ?? Number.NaN)
  if (Number.isNaN(from)) throw invalidParams([{ path: ['cursor'], message: 'is not one that a list has answered' }])
  const texts: string[] = []
  let characters = 0
  for (let at = from; at < job.files.length && texts.length < limit && !isFull(characters); at++) {
    const text = JSON.stringify(call.views.file(job, at))
    texts.push(text)
    characters += text.length
  }
  const next = from + texts.length
  return new JsonText(pageOf('files', texts, next < job.files.length ? String(next) : null))
}
