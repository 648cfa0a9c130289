// job.update: settings of a job; what is left out stays. All of it or nothing.
import { mergeOptions } from '../../../protocol/options.ts'
import { publishesItself, raises, type JobRecord } from '../../core/job.ts'
import type { NewEvent } from '../../core/transitions.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import { now } from '../clock.ts'
import { changeableJob, type MethodOf } from './call.ts'

export const jobUpdate: MethodOf<'job.update'> = async ({ jobId, set }, call) => {
  const { id } = await changeableJob(call, jobId)
  call.policies.check(call.caller, { hasCommand: (set.options?.notify?.command ?? null) !== null })
  const job = await call.queue.change(id, (present) => {
    if (present.endedAt !== null) throw new Refusal('invalid-state', { state: present.state })
    const { options, ...plain } = set
    const changed: JobRecord = {
      ...present,
      displayName: plain.displayName ?? present.displayName,
      description: plain.description ?? present.description,
      application: plain.application === undefined ? present.application : plain.application,
      priority: plain.priority ?? present.priority,
      options: options ? mergeOptions(present.options, options) : present.options,
      modifiedAt: now(),
    }
    const isDue = changed.state === 'transferred' && publishesItself(changed)
    return {
      job: changed, events: [{ kind: 'modification', fileIndex: null, error: null }, ...conditions(present, changed)],
      effects: isDue ? ['publish'] : [],
    }
  })
  return { job: call.views.of(job) }
}

/** An event is a condition: a job that is transferred or in error already raises what it is now asked to raise (BITS §6.3). */
function conditions(before: JobRecord, after: JobRecord): NewEvent[] {
  const { state, error } = after
  if (state !== 'transferred' && state !== 'error') return []
  // It says so itself once it is published.
  if (state === 'transferred' && publishesItself(after)) return []
  const isNew = !raises(before, state) || (state === 'transferred' && publishesItself(before))
  return raises(after, state) && isNew && after.stateEvent === null ? [{ kind: state, fileIndex: error?.fileIndex ?? null, error }] : []
}
