// `explain`: why a job is not moving.
import { findJob } from '../find-job.ts'
import { harmless, reasonLine } from '../print.ts'
import type { AddVerb } from '../verb.ts'

export const addExplain: AddVerb = (program, run) => {
  program.command('explain')
    .summary('say why a job is not moving')
    .description('Says why a job is not moving, one reason per line.')
    .argument('<ID>', 'the job')
    .action(run(async (verb, id: string) => {
      const reasons = await (await findJob(await verb.client(), id)).explain()
      verb.answer({ reasons }, reasons.map((reason) => harmless(reasonLine(reason))).join('\n'))
      if (reasons.length === 0) verb.remark('Nothing holds it up.')
    }))
}
