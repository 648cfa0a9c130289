// Staying with a job on the screen: progress while it moves, and, when the person leaves by Ctrl-C, how to come back.
// Leaving changes nothing about the job.
import type { Job, JobState } from '../../protocol/job.ts'
import type { Client } from '../client.ts'
import { followJob, type Followed } from '../follow.ts'
import { Interrupted } from './outcome.ts'
import { shortId } from './print.ts'
import { openProgress } from './progress.ts'
import type { Verb } from './verb.ts'

export interface AttachOptions {
  readonly timeoutSeconds?: number | undefined
  readonly states?: readonly JobState[] | undefined
  /** Does this verb complete the job in the end? Then coming back should, too. */
  readonly completes: boolean
}

export async function stayWith(verb: Verb, client: Client, jobId: string, { completes, ...options }: AttachOptions): Promise<Followed> {
  const progress = verb.json ? null : openProgress(process.stderr, (text) => verb.remark(text))
  const forgetLoss = client.on('disconnected', () => progress?.say('The daemon went away; waiting for it …'))
  try {
    return await followJob(client, jobId, { ...options, signal: verb.signal, onChange: progress ? (job: Job) => progress.show(job) : undefined })
  } catch (error) {
    if (!verb.signal.aborted) throw error
    const id = shortId(jobId)
    throw new Interrupted(`Job ${id} goes on without you.\nCome back: backhaul wait ${id}${completes ? ' --complete' : ''}   Give it up: backhaul cancel ${id}`, jobId)
  } finally {
    forgetLoss()
    progress?.close()
  }
}
