// `stats`: counts of jobs, the rate of all of them, and the limits.
import type { Result } from '../../../protocol/methods.ts'
import { harmless, size, table } from '../print.ts'
import type { AddVerb } from '../verb.ts'

export const addStats: AddVerb = (program, run) => {
  program.command('stats')
    .summary('count the jobs')
    .description('Counts jobs by state and owner: of everybody for admins, else your own.')
    .action(run(async (verb) => {
      const stats = await (await verb.client()).stats()
      verb.answer(stats, statsText(stats))
    }))
}

function statsText({ jobs, bytesPerSecond, limits }: Result<'queue.stats'>): string {
  const states = Object.entries(jobs.byState).filter(([, count]) => count > 0)
  return table([
    ['jobs', String(jobs.total)],
    ...states.map(([state, count]) => [`  ${state}`, String(count)]),
    ...jobs.byOwner.map(({ owner, total }) => [`  of ${harmless(owner.name)}`, String(total)]),
    ['rate', `${size(bytesPerSecond)}/s`],
    ['limits', `${limits.jobsPerUser} jobs per user, ${limits.jobsPerMachine} on the machine, ${limits.filesPerJob} files per job, ${limits.rangesPerFile} ranges per file`],
  ])
}
