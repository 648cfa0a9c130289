// `show`: everything about one job.
import type { Job } from '../../../protocol/job.ts'
import { findJob } from '../find-job.ts'
import { details, harmless, moment, percentage, rate, size, span, styleOfState, whyWaiting } from '../print.ts'
import type { AddVerb, Verb } from '../verb.ts'

export const addShow: AddVerb = (program, run) => {
  program.command('show')
    .summary('show one job')
    .description('Shows everything about one job, also in the 30 days after it ended.')
    .argument('<ID>', 'the job')
    .action(run(async (verb, id: string) => {
      const job = await (await findJob(await verb.client(), id)).get()
      verb.answer({ job }, jobText(verb, job))
    }))
}

function jobText(verb: Verb, job: Job): string {
  const { progress, error, options } = job
  const time = (at: number | null): string | null => at === null ? null : moment(at)
  const headers = Object.keys(options.http.headers)
  return details([
    ['id', job.id],
    ['name', harmless(job.displayName)],
    ['state', verb.paint(styleOfState[job.state], job.state)],
    ['waiting', harmless(whyWaiting(job))],
    ['error', error && harmless(`${error.message} [${error.context}: ${error.code}]${error.httpStatus === null ? '' : ` HTTP status ${error.httpStatus}`}`)],
    ['next attempt', time(error?.retryAt ?? null)],
    ['errors so far', job.errorCount > 0 ? String(job.errorCount) : null],
    ['type', job.type],
    ['priority', job.priority],
    ['owner', `${harmless(job.owner.name)} (${job.owner.id})`],
    ['application', job.application && harmless(job.application)],
    ['description', harmless(job.description)],
    ['files', `${progress.filesTransferred} of ${progress.filesTotal}`],
    ['bytes', [`${size(progress.bytesTransferred)} of ${size(progress.bytesTotal)}`, percentage(progress), rate(progress.bytesPerSecond)].filter(Boolean).join('  ')],
    ['created', time(job.createdAt)],
    ['modified', time(job.modifiedAt)],
    ['transferred', time(job.transferredAt)],
    ['ended', time(job.endedAt)],
    ['retry delay', span(options.minimumRetryDelaySeconds)],
    ['gives up after', `${span(options.noProgressTimeoutSeconds)} without progress`],
    ['headers', headers.length > 0 ? headers.join(', ') : null],
    ['notify command', options.notify.command && harmless(options.notify.command.program)],
  ])
}
