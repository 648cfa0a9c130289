// job.create: a job, all or nothing. It is on disk before the answer.
import type { Params } from '../../../protocol/methods.ts'
import { Refusal, invalidParams } from '../../../protocol/refusals.ts'
import { isAbsoluteOn } from '../../../protocol/schema.ts'
import type { FileSpec } from '../../../protocol/job.ts'
import { transition } from '../../core/transitions.ts'
import { now } from '../clock.ts'
import { anyJob, type Call, type MethodOf } from './call.ts'

export const jobCreate: MethodOf<'job.create'> = async (params, call) => {
  const { queue, views } = call
  if (params.type !== 'download') throw new Refusal('not-supported', { type: params.type }, 'Only downloads are supported.')
  checkLocalNames(params.files, call.instance.platform)
  call.policies.check(call.caller, { files: params.files, hasCommand: (params.options.notify?.command ?? null) !== null })
  const { id, created } = await queue.add(wanted(params, call), (job) => {
    return params.resume ? transition(job, { kind: 'resume' }, now()) : null
  })
  const job = await anyJob(call, id)
  return { job: views.of(job), created }
}

function wanted(params: Params<'job.create'>, { caller, limits }: Call): Parameters<Call['queue']['add']>[0] {
  const { displayName, type, description, application, priority, options, files, clientToken } = params
  return {
    owner: { id: caller.id, name: caller.name }, exempt: caller.isExempt,
    displayName, type, description, application, priority, options, files, clientToken: clientToken ?? null, limits: limits(),
  }
}

/** The schema takes the absolute paths of every system; this one understands only its own. */
export function checkLocalNames(files: readonly FileSpec[], platform: string): void {
  const issues = files.flatMap(({ localName }, at) => (isAbsoluteOn(platform, localName) ? [] : [{ path: ['files', at, 'localName'], message: 'must be an absolute path' }]))
  if (issues.length > 0) throw invalidParams(issues)
}
