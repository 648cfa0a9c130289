// `wait`: until a job is done moving. The exit code says how it ended; a state that was asked for is no failure.
import type { JobState } from '../../../protocol/job.ts'
import { completeJob, JobFailed } from '../../download.ts'
import { jobStates, seconds } from '../arguments.ts'
import { stayWith } from '../attach.ts'
import { findJob } from '../find-job.ts'
import { exitCodes, UsageError } from '../outcome.ts'
import { harmless, shortId } from '../print.ts'
import type { AddVerb } from '../verb.ts'

interface Options {
  readonly timeout?: number
  readonly state?: JobState[]
  readonly complete?: boolean
}

export const addWait: AddVerb = (program, run) => {
  program.command('wait')
    .summary('wait until a job is done moving')
    .description('Waits until a job is transferred, in error, or ended, and prints its state.')
    .argument('<ID>', 'the job')
    .option('--timeout <SECONDS>', 'wait no longer than that (exit code 5)', seconds)
    .option('--state <STATES>', 'wait for one of these states instead, separated by commas; reaching one is success', jobStates)
    .option('--complete', 'then take the files and print their names')
    .addHelpText('after', `
Examples:
  backhaul wait 1a2b --timeout 3600
  backhaul wait 1a2b --complete`)
    .action(run(async (verb, id: string, options: Options) => {
      if (options.complete && options.state) throw new UsageError('--complete waits for the usual states; it does not go with --state.')
      const client = await verb.client()
      const handle = await findJob(client, id)
      const { job, timedOut } = await stayWith(verb, client, handle.id, {
        timeoutSeconds: options.timeout, states: options.state, completes: options.complete === true,
      })
      if (timedOut) {
        verb.answer({ job, timedOut }, '')
        verb.remark(`Job ${shortId(job.id)} is still ${job.state}.`)
        return exitCodes.timedOut
      }
      const hasFailed = !options.state && (job.state === 'error' || job.state === 'cancelled')
      if (options.complete && !hasFailed) {
        const ended = await completeJob(client, job)
        const names: string[] = []
        for await (const file of handle.files()) if (file.progress.completed) names.push(file.localName)
        return verb.answer({ job: ended, timedOut }, names.join('\n'))
      }
      verb.answer({ job, timedOut }, job.state)
      if (hasFailed) throw new JobFailed(job)
      if (job.state === 'transferred') verb.remark(`Take the files of ${harmless(job.displayName)}: backhaul complete ${shortId(job.id)}`)
      return exitCodes.done
    }))
}
