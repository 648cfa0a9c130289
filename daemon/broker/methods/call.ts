// What a method has to work with: who calls over which connection, and the broker's rooms. Handed in; no method
// reaches for anything else.
import type { MethodName, Params, Result } from '../../../protocol/methods.ts'
import type { JsonText } from '../../../protocol/peer.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import { mayTouch, type Caller } from '../../core/access.ts'
import type { JobRecord } from '../../core/job.ts'
import type { Limits } from '../../core/limits.ts'
import type { Ending } from '../ending.ts'
import type { History } from '../history.ts'
import type { JobClocks } from '../job-clocks.ts'
import type { LiveProgress } from '../live.ts'
import type { Notifier } from '../notify/notifier.ts'
import type { Policies } from '../policies.ts'
import type { Queue } from '../queue.ts'
import type { Connection } from '../rpc/connection.ts'
import type { Transfers } from '../transfers.ts'
import type { Views } from '../views.ts'
import type { Waiters } from '../waiters.ts'
import type { WorkerSource } from '../workers/worker-link.ts'

export interface Broker {
  readonly queue: Queue
  readonly views: Views
  readonly live: LiveProgress
  readonly clocks: JobClocks
  readonly history: History
  readonly ending: Ending
  readonly transfers: Transfers
  readonly waiters: Waiters
  readonly notifier: Notifier
  readonly workers: WorkerSource
  readonly policies: Policies
  readonly limits: () => Limits
  readonly instance: { readonly id: string; readonly mode: 'system' | 'user'; readonly startedAt: number; readonly platform: string }
}

export interface Call extends Broker {
  readonly caller: Caller
  readonly connection: Connection
}

type Answer<Name extends MethodName> = Result<Name> | JsonText
export type MethodOf<Name extends MethodName> = (params: Params<Name>, call: Call) => Answer<Name> | Promise<Answer<Name>>

/** A job that has not ended and that the caller may touch; one of another answers like one that does not exist. */
export function liveJob(call: Call, jobId: string): JobRecord {
  const job = call.queue.get(jobId)
  if (!job || !mayTouch(call.caller, job)) throw new Refusal('job-not-found')
  return job
}

/** The same for reading: jobs that ended are found in the history. */
export async function anyJob(call: Call, jobId: string): Promise<JobRecord> {
  const job = call.queue.get(jobId) ?? (await call.history.get(jobId))
  if (!job || !mayTouch(call.caller, job)) throw new Refusal('job-not-found')
  return job
}

/** For calls that change a job: one that ended refuses them by its state, not as unknown. */
export async function changeableJob(call: Call, jobId: string): Promise<JobRecord> {
  const job = await anyJob(call, jobId)
  if (job.endedAt !== null) throw new Refusal('invalid-state', { state: job.state })
  return job
}
