// `policy`: what the administrator allows the caller, and why.
import type { Result } from '../../../protocol/methods.ts'
import { harmless, table } from '../print.ts'
import type { AddVerb } from '../verb.ts'

export const addPolicy: AddVerb = (program, run) => {
  program.command('policy')
    .summary('show what applies to you')
    .description('Shows which policy of the configuration applies to you, and what it allows.')
    .action(run(async (verb) => {
      const policy = await (await verb.client()).call('policy.get', {})
      verb.answer(policy, policyText(policy))
    }))
}

function policyText(policy: Result<'policy.get'>): string {
  const { limits } = policy
  const list = (patterns: readonly string[] | null): string => (patterns === null ? 'any' : patterns.length === 0 ? 'none' : patterns.map(harmless).join(', '))
  return table([
    ['policy', `${policy.policy === null ? 'none' : String(policy.policy)}: ${harmless(policy.why)}`],
    ['limits', policy.exempt ? 'none bind you' : `${limits.jobsPerUser} jobs, ${limits.filesPerJob} files per job, ${limits.rangesPerFile} ranges per file`],
    ['notify commands', policy.notifyCommands ? 'allowed' : 'not allowed'],
    ['local folders', list(policy.localFolders)],
    ['remote names', list(policy.remoteNames)],
  ])
}
