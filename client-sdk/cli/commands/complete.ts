// `complete`: takes the files of a job.
import { findJob } from '../find-job.ts'
import type { AddVerb } from '../verb.ts'

export const addComplete: AddVerb = (program, run) => {
  program.command('complete')
    .summary('take the files of a job')
    .description('Gives the finished files of a job their local names, ends the job, and prints the names. '
      + 'Files that are not finished are given up. A file of the same name is replaced, unless the job says otherwise (--on-conflict).')
    .argument('<ID>', 'the job')
    .action(run(async (verb, id: string) => {
      const completed = await (await findJob(await verb.client(), id)).complete()
      verb.answer(completed, completed.files.map(({ localName }) => localName).join('\n'))
      if (completed.partial) verb.remark('Not all files were finished; the others were given up.')
    }))
}
