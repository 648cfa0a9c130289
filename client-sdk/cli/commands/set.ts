// `set`: changes a job; what is not named stays as it is.
import type { JobSettings, Priority, Validation } from '../../../protocol/job.ts'
import type { EventKind, JobOptions, PartialOptions } from '../../../protocol/options.ts'
import type { JobHandle } from '../../job.ts'
import { completionOption, conflictOption, eventKinds, header, priorityOption, wholeNumber } from '../arguments.ts'
import { findJob } from '../find-job.ts'
import { UsageError } from '../outcome.ts'
import { harmless, shortId } from '../print.ts'
import type { AddVerb } from '../verb.ts'

interface Options {
  readonly name?: string
  readonly description?: string
  readonly application?: string
  readonly priority?: Priority
  readonly header?: Record<string, string>
  readonly retryDelay?: number
  readonly giveUpAfter?: number
  readonly maximumTime?: number
  readonly maximumBytes?: number
  readonly completion?: JobOptions['completion']
  readonly onConflict?: JobOptions['onConflict']
  readonly notifyEvents?: EventKind[]
  readonly notifyCommand?: string[]
  readonly replacePrefix?: string[]
  readonly takeOwnership?: boolean
  readonly trustLocalNames?: boolean
  readonly file?: number
  readonly url?: string
  readonly validation?: Validation
}

export const addSet: AddVerb = (program, run) => {
  program.command('set')
    .summary('change a job')
    .description('Changes a job; what is not named stays as it is.')
    .argument('<ID>', 'the job')
    .option('--name <NAME>', 'display name')
    .option('--description <TEXT>', 'for people')
    .option('--application <LABEL>', 'a label to find the job by; "" for none')
    .addOption(priorityOption('foreground beside all others; high, normal, low strictly in this order'))
    .option('--header <HEADER>', '"Name: value", may be given again; replaces all headers', header)
    .option('--retry-delay <SECONDS>', 'from a failure to the next attempt, at least 5', wholeNumber)
    .option('--give-up-after <SECONDS>', 'without a new byte for so long, a failure is final', wholeNumber)
    .option('--maximum-time <SECONDS>', 'of transferring, since the last resume', wholeNumber)
    .option('--maximum-bytes <BYTES>', 'of the whole job', wholeNumber)
    .addOption(completionOption('automatic: the files appear as soon as all are there'))
    .addOption(conflictOption('where a local name is taken in the end'))
    .option('--notify-events <KINDS>', 'which events the job raises, separated by commas', eventKinds)
    .option('--notify-command <WORDS...>', 'program (absolute path) and arguments to run on an event; "" for none')
    .option('--replace-prefix <OLD NEW...>', 'rewrite the start of every matching URL')
    .option('--take-ownership', 'become the owner (admins)')
    .option('--trust-local-names', 'with --take-ownership: also where the owner before could not have written the files')
    .option('--file <INDEX>', 'the file that --url and --validation are about', wholeNumber)
    .option('--url <URL>', 'another URL for the file')
    .option('--validation <VERDICT>', 'valid or invalid: your verdict on the content of the file')
    .addHelpText('after', `
Examples:
  backhaul set 1a2b --priority high --retry-delay 30
  backhaul set 1a2b --replace-prefix https://old.example/ https://new.example/
  backhaul set 1a2b --file 0 --url https://mirror.example/disk.iso`)
    .action(run(async (verb, id: string, options: Options) => {
      const set = settingsOf(options)
      const fileSet = { ...(options.url !== undefined && { remoteName: options.url }), ...(options.validation && { validation: options.validation }) }
      if (Object.keys(fileSet).length > 0 !== (options.file !== undefined)) throw new UsageError('--file INDEX goes together with --url or --validation.')
      const [oldPrefix, newPrefix, ...more] = options.replacePrefix ?? []
      if (options.replacePrefix && (newPrefix === undefined || more.length > 0)) throw new UsageError('--replace-prefix takes two words: OLD NEW.')
      if (options.trustLocalNames && !options.takeOwnership) throw new UsageError('--trust-local-names goes together with --take-ownership.')
      if (!options.takeOwnership && oldPrefix === undefined && options.file === undefined && Object.keys(set).length === 0) throw new UsageError('Nothing to set.')
      const job: JobHandle = await findJob(await verb.client(), id)
      if (options.takeOwnership) await job.takeOwnership({ trustLocalNames: options.trustLocalNames ?? false })
      if (oldPrefix !== undefined && newPrefix !== undefined) verb.remark(`${await job.replaceRemotePrefix(oldPrefix, newPrefix)} URLs rewritten.`)
      if (options.file !== undefined) await job.updateFile(options.file, fileSet)
      const changed = Object.keys(set).length > 0 ? await job.update(set) : await job.get()
      verb.answer({ job: changed }, `${shortId(changed.id)}  ${changed.state}  ${changed.priority}  ${harmless(changed.displayName)}`)
    }))
}

function settingsOf(options: Options): JobSettings {
  const [program = '', ...args] = options.notifyCommand ?? []
  const transfer: PartialOptions = {
    minimumRetryDelaySeconds: options.retryDelay,
    noProgressTimeoutSeconds: options.giveUpAfter,
    maximumDownloadTimeSeconds: options.maximumTime,
    maximumDownloadBytes: options.maximumBytes,
    completion: options.completion,
    onConflict: options.onConflict,
    ...(options.header && { http: { headers: options.header } }),
    ...((options.notifyEvents || options.notifyCommand) && {
      notify: {
        ...(options.notifyEvents && { events: options.notifyEvents }),
        ...(options.notifyCommand && { command: program === '' ? null : { program, args } }),
      },
    }),
  }
  const isTransferSet = Object.values(transfer).some((value) => value !== undefined)
  return {
    ...(options.name !== undefined && { displayName: options.name }),
    ...(options.description !== undefined && { description: options.description }),
    ...(options.application !== undefined && { application: options.application || null }),
    ...(options.priority && { priority: options.priority }),
    ...(isTransferSet && { options: transfer }),
  }
}
