// The verbs that are one call per job. Every id is looked up before anything is done, so that a mistyped one changes
// nothing. One id: the answer of the call; several: a list of them.
import { findJob } from './find-job.ts'
import { harmless, shortId, styleOfState } from './print.ts'
import type { Verb } from './verb.ts'

export async function changeJobs(verb: Verb, typed: readonly string[], method: 'job.resume' | 'job.suspend' | 'job.cancel'): Promise<void> {
  const client = await verb.client()
  const jobs = await Promise.all(typed.map((id) => findJob(client, id)))
  const answers = []
  for (const { id } of jobs) answers.push(await client.call(method, { jobId: id }))
  const text = answers.map(({ job }) => `${shortId(job.id)}  ${verb.paint(styleOfState[job.state], job.state)}  ${harmless(job.displayName)}`).join('\n')
  verb.answer(answers.length === 1 ? answers[0] : answers, text)
}
