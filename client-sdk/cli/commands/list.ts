// `list`: the jobs as a table.
import type { Job, JobState } from '../../../protocol/job.ts'
import { jobStates } from '../arguments.ts'
import { prefixLength } from '../find-job.ts'
import { harmless, percentage, rate, shortened, size, styleOfState, table, whyWaiting } from '../print.ts'
import type { AddVerb, Verb } from '../verb.ts'

interface Options {
  readonly all?: boolean
  readonly owner?: string
  readonly state?: JobState[]
  readonly application?: string
  readonly ended?: boolean
}

export const addList: AddVerb = (program, run) => {
  program.command('list')
    .summary('show the jobs')
    .description('Shows the jobs in the order of their creation.')
    .option('--all', 'of all owners (admins)')
    .option('--owner <ID>', 'of this owner, by uid (admins)')
    .option('--state <STATES>', 'only in these states, separated by commas', jobStates)
    .option('--application <LABEL>', 'only with this label')
    .option('--ended', 'those that were completed or cancelled in the last 30 days')
    .addHelpText('after', `
Examples:
  backhaul list --state error,transient-error
  backhaul list --ended
  backhaul list --json | jq -r '.jobs[] | select(.state == "transferred").id'`)
    .action(run(async (verb, options: Options) => {
      const client = await verb.client()
      const jobs: Job[] = []
      const states = options.state ?? (options.ended ? ['acknowledged', 'cancelled'] as const : undefined)
      const filter = {
        ...(options.all ? { owner: 'all' } : options.owner !== undefined && { owner: options.owner }),
        ...(states && { states }), ...(options.application !== undefined && { application: options.application }),
      }
      for await (const job of client.listJobs(filter)) jobs.push(job)
      verb.answer({ jobs, nextCursor: null }, jobs.length > 0 ? jobTable(verb, jobs, Boolean(options.all || options.owner)) : '')
      if (jobs.length === 0) verb.remark(states || options.application !== undefined ? 'No such jobs.' : 'No jobs.')
    }))
}

/** In a pipe one line per job; on a terminal, where that would not fit, the reason is on a line of its own. */
function jobTable(verb: Verb, jobs: readonly Job[], withOwner: boolean): string {
  const idLength = prefixLength(jobs.map((job) => job.id))
  const heads = ['ID', ...(withOwner ? ['OWNER'] : []), 'STATE', 'PRIORITY', 'DONE', 'SIZE', 'RATE', 'NAME']
  const rows = jobs.map((job) => [
    job.id.slice(0, idLength), ...(withOwner ? [harmless(job.owner.name)] : []), job.state, job.priority, percentage(job.progress),
    sizeOf(job), rate(job.state === 'transferring' ? job.progress.bytesPerSecond : 0), shortened(harmless(job.displayName), process.stdout.isTTY ? 28 : 256),
  ])
  const reasons = jobs.map((job) => harmless(whyWaiting(job)))
  const paint = (text: string, row: number, column: number): string => {
    if (row === 0) return verb.paint('dim', text)
    const state = jobs[row - 1]?.state
    return column === heads.indexOf('STATE') && state ? verb.paint(styleOfState[state], text) : text
  }
  if (!process.stdout.isTTY) return table([[...heads, 'WHY IT WAITS'], ...rows.map((row, at) => [...row, reasons[at] ?? ''])], paint)
  const [head = '', ...lines] = table([heads, ...rows], paint).split('\n')
  const room = process.stdout.columns - 4
  return [head, ...lines.flatMap((line, at) => reasons[at] ? [line, `    ${verb.paint('dim', shortened(reasons[at], room))}`] : [line])].join('\n')
}

function sizeOf({ progress: { bytesTotal, bytesTransferred, filesTotal } }: Job): string {
  if (filesTotal === 0) return 'no files'
  return bytesTotal === null && bytesTransferred > 0 ? `${size(bytesTransferred)} of ?` : size(bytesTotal)
}
