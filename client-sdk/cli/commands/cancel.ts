// `cancel`: one call for each job that is named.
import { changeJobs } from '../change-jobs.ts'
import type { AddVerb } from '../verb.ts'

export const addCancel: AddVerb = (program, run) => {
  program.command('cancel')
    .summary('give jobs up')
    .description('Gives jobs up and removes what was downloaded.')
    .argument('<IDS...>', 'the jobs')
    .action(run((verb, ids: readonly string[]) => changeJobs(verb, ids, 'job.cancel')))
}
