// `create`: a job to be filled and resumed step by step, as a script does it.
import { resolve } from 'node:path'
import type { JobType, Priority } from '../../../protocol/job.ts'
import { completionOption, conflictOption, header, pairs, priorityOption, wholeNumber } from '../arguments.ts'
import type { JobOptions } from '../../../protocol/options.ts'
import type { AddVerb } from '../verb.ts'

interface Options {
  readonly type?: JobType
  readonly description?: string
  readonly application?: string
  readonly priority?: Priority
  readonly header?: Record<string, string>
  readonly retryDelay?: number
  readonly giveUpAfter?: number
  readonly completion?: JobOptions['completion']
  readonly onConflict?: JobOptions['onConflict']
  readonly token?: string
  readonly resume?: boolean
}

export const addCreate: AddVerb = (program, run) => {
  program.command('create')
    .summary('make a job')
    .description('Makes a job, suspended unless --resume, and prints its id.')
    .argument('<NAME>', 'display name; need not be unique')
    .argument('[FILES...]', 'URL LOCAL [URL LOCAL …]')
    .option('--type <TYPE>', 'download, upload or upload-reply (default: download)')
    .option('--description <TEXT>', 'for people')
    .option('--application <LABEL>', 'a label to find the job by')
    .addOption(priorityOption('default: normal'))
    .option('--header <HEADER>', '"Name: value" for every request, may be given again', header)
    .option('--retry-delay <SECONDS>', 'from a failure to the next attempt, at least 5 (default: 600)', wholeNumber)
    .option('--give-up-after <SECONDS>', 'without a new byte for so long, a failure is final (default: 14 days)', wholeNumber)
    .addOption(completionOption('automatic: the files appear as soon as all are there (default: manual)'))
    .addOption(conflictOption('where a local name is taken in the end (default: replace)'))
    .option('--token <TOKEN>', 'the same token makes no second job: it answers the first')
    .option('--resume', 'put it into the queue at once')
    .addHelpText('after', `
Example:
  id=$(backhaul create nightly)
  backhaul add "$id" https://example.org/a.bin /srv/a.bin https://example.org/b.bin /srv/b.bin
  backhaul resume "$id" && backhaul wait "$id" --timeout 3600 && backhaul complete "$id"`)
    .action(run(async (verb, name: string, words: readonly string[], options: Options) => {
      const client = await verb.client()
      const created = await client.call('job.create', {
        displayName: name,
        type: options.type,
        description: options.description,
        application: options.application,
        priority: options.priority,
        files: pairs(words, (path) => resolve(path)),
        options: {
          completion: options.completion,
          onConflict: options.onConflict,
          minimumRetryDelaySeconds: options.retryDelay,
          noProgressTimeoutSeconds: options.giveUpAfter,
          ...(options.header && { http: { headers: options.header } }),
        },
        resume: options.resume ?? false,
        clientToken: options.token,
      })
      verb.answer(created, created.job.id)
    }))
}
