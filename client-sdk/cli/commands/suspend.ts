// `suspend`: one call for each job that is named.
import { changeJobs } from '../change-jobs.ts'
import type { AddVerb } from '../verb.ts'

export const addSuspend: AddVerb = (program, run) => {
  program.command('suspend')
    .summary('stop jobs until they are resumed')
    .description('Stops jobs until they are resumed; what was downloaded is kept.')
    .argument('<IDS...>', 'the jobs')
    .action(run((verb, ids: readonly string[]) => changeJobs(verb, ids, 'job.suspend')))
}
