// `files`: the files of one job.
import type { File } from '../../../protocol/job.ts'
import { findJob } from '../find-job.ts'
import { harmless, size, table } from '../print.ts'
import type { AddVerb } from '../verb.ts'

export const addFiles: AddVerb = (program, run) => {
  program.command('files')
    .summary('show the files of a job')
    .description('Shows the files of a job, in order.')
    .argument('<ID>', 'the job')
    .action(run(async (verb, id: string) => {
      const job = await findJob(await verb.client(), id)
      const files: File[] = []
      for await (const file of job.files()) files.push(file)
      const rows = files.map((file) => [
        String(file.index), stateOf(file), `${size(file.progress.bytesTransferred)} of ${size(file.progress.bytesTotal)}`,
        harmless(file.localName), harmless(file.remoteName),
      ])
      const text = table([['#', 'STATE', 'BYTES', 'LOCAL', 'REMOTE'], ...rows], (cell, row) => row === 0 ? verb.paint('dim', cell) : cell)
      verb.answer({ files, nextCursor: null }, files.length > 0 ? text : '')
      if (files.length === 0) verb.remark('The job has no files.')
    }))
}

function stateOf({ progress: { completed, bytesTotal, bytesTransferred } }: File): string {
  if (completed) return 'completed'
  return bytesTotal !== null && bytesTransferred === bytesTotal ? 'transferred' : bytesTransferred > 0 ? 'partial' : 'waiting'
}
