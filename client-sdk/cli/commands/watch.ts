// `watch`: reads along, one line per event, until Ctrl-C.
import type { WatchEvent } from '../../../protocol/events.ts'
import { findJob } from '../find-job.ts'
import { Interrupted } from '../outcome.ts'
import { harmless, moment, percentage, rate, shortId, size, whyWaiting } from '../print.ts'
import type { AddVerb } from '../verb.ts'

interface Options {
  readonly all?: boolean
  readonly application?: string
  readonly after?: string
}

export const addWatch: AddVerb = (program, run) => {
  program.command('watch')
    .summary('read along with what happens')
    .description('Prints what happens to jobs, progress included, one line per event, until Ctrl-C.')
    .argument('[IDS...]', 'only these jobs')
    .option('--all', 'of all owners (admins)')
    .option('--application <LABEL>', 'only with this label')
    .option('--after <CURSOR>', 'begin with the stored events after this cursor (a member of each line of --json)')
    .addHelpText('after', `
Examples:
  backhaul watch
  backhaul watch --json | jq -r 'select(.kind == "transferred").job.id'`)
    .action(run(async (verb, typed: readonly string[], options: Options) => {
      const client = await verb.client()
      const jobs = await Promise.all(typed.map((id) => findJob(client, id)))
      const watch = client.watch({
        ...(jobs.length > 0 && { jobIds: jobs.map(({ id }) => id) }),
        ...(options.application !== undefined && { application: options.application }),
        ...(options.after !== undefined && { after: options.after }),
        ...(options.all && { owner: 'all' as const }),
        signal: verb.signal,
      })
      for await (const event of watch) verb.answer(withoutWatch(event), eventLine(event))
      throw new Interrupted('')
    }))
}

function withoutWatch({ watchId: _, ...event }: WatchEvent): Omit<WatchEvent, 'watchId'> {
  return event
}

function eventLine({ at, kind, job, file, lagged }: WatchEvent): string {
  const lost = lagged ? `  (${lagged} events dropped)` : ''
  if (!job) return `${moment(at)}  ${kind}${lost}`
  const { progress } = job
  const far = [percentage(progress), `${size(progress.bytesTransferred)} of ${size(progress.bytesTotal)}`, rate(progress.bytesPerSecond)]
  const more = kind === 'progress' ? far : [file ? harmless(file.localName) : job.state, harmless(whyWaiting(job))]
  return [moment(at), shortId(job.id), kind, ...more, harmless(job.displayName)].filter(Boolean).join('  ') + lost
}
