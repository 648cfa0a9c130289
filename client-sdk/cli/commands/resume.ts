// `resume`: one call for each job that is named.
import { changeJobs } from '../change-jobs.ts'
import type { AddVerb } from '../verb.ts'

export const addResume: AddVerb = (program, run) => {
  program.command('resume')
    .summary('put jobs into the queue')
    .description('Puts jobs into the queue, or lets them try again now.')
    .argument('<IDS...>', 'the jobs')
    .action(run((verb, ids: readonly string[]) => changeJobs(verb, ids, 'job.resume')))
}
