// From what a person types to a job's id: a whole id, or the start of one that only one job has. Jobs at work are
// looked at before those that ended, one's own before those of others.
import type { JobState } from '../../protocol/job.ts'
import { Refusal } from '../../protocol/refusals.ts'
import type { Client, ListOptions } from '../client.ts'
import { JobHandle } from '../job.ts'

const wholeId = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const startOfId = /^[0-9a-f][0-9a-f-]{0,35}$/i
const ended: readonly JobState[] = ['acknowledged', 'cancelled']

export async function findJob(client: Client, typed: string): Promise<JobHandle> {
  if (wholeId.test(typed)) return client.job(typed.toLowerCase())
  if (!startOfId.test(typed)) throw new Refusal('job-not-found', {}, `“${typed}” is not the start of a job's id (backhaul list shows them).`)
  const places: ListOptions[] = [{}, { states: ended }]
  if (client.hello.caller.role === 'admin') places.push({ owner: 'all' }, { owner: 'all', states: ended })
  for (const place of places) {
    const found = await startingWith(client, typed.toLowerCase(), place)
    if (found.length > 1) throw new Refusal('job-not-found', { candidates: found }, `Several jobs start with ${typed}: ${found.slice(0, 5).join(', ')}${found.length > 5 ? ' …' : ''}`)
    if (found[0] !== undefined) return client.job(found[0])
  }
  throw new Refusal('job-not-found', {}, `No job starts with ${typed} (backhaul list shows them).`)
}

async function startingWith(client: Client, start: string, options: ListOptions): Promise<string[]> {
  const found: string[] = []
  for await (const job of client.listJobs(options)) if (job.id.startsWith(start)) found.push(job.id)
  return found
}

/** The shortest length, 8 at least, at which the starts of these ids differ. */
export function prefixLength(ids: readonly string[]): number {
  for (let length = 8; length < 36; length++) if (new Set(ids.map((id) => id.slice(0, length))).size === ids.length) return length
  return 36
}
