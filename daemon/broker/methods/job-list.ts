// job.list: jobs in the order of their creation, then, where they were asked for, those that ended in the order of
// their end. The cursor says how far a list has come; jobs made or ended meanwhile do not disturb it.
import { endedStates, hasEnded, type JobState } from '../../../protocol/job.ts'
import type { Params, Result } from '../../../protocol/methods.ts'
import { JsonText } from '../../../protocol/peer.ts'
import { invalidParams } from '../../../protocol/refusals.ts'
import { ownersListed } from '../../core/access.ts'
import type { JobRecord } from '../../core/job.ts'
import type { Call, MethodOf } from './call.ts'
import { isFull, pageOf } from './pages.ts'

export const jobList: MethodOf<'job.list'> = async (params, call) => {
  const ownerId = ownersListed(call.caller, params.owner)
  const asksForEnded = params.states?.some((state) => hasEnded(state)) ?? false
  const cursor = readCursor(params.cursor)
  const found = cursor.part === 'live' ? listLive(params, call, ownerId, cursor.after) : []
  const live: string[] = []
  let characters = 0
  for (const job of found) {
    if (live.length === params.limit || isFull(characters)) break
    const text = call.views.json(job)
    live.push(text)
    characters += text.length
  }
  const last = found[live.length - 1]
  if (found.length > live.length && last) return answer(live, `live:${last.number}`)
  if (!asksForEnded) return answer(live, null)
  const left = isFull(characters) ? 0 : params.limit - live.length
  if (left === 0) return answer(live, 'ended:')
  const ended = await call.history.list(call.caller.id, ownerId, cursor.part === 'ended' ? cursor.after : null, left, (job) => isWanted(params, job, ownerId))
  return answer([...live, ...ended.jobs.map((job) => JSON.stringify(call.views.of(job)))], ended.next === null ? null : `ended:${ended.next}`)
}

function answer(jobs: readonly string[], nextCursor: Result<'job.list'>['nextCursor']): JsonText {
  return new JsonText(pageOf('jobs', jobs, nextCursor))
}

/** One more than asked for, so that the end is known. */
function listLive(params: Params<'job.list'>, { queue }: Call, ownerId: string | null, after: number): JobRecord[] {
  const found: JobRecord[] = []
  for (const job of queue.all(after)) {
    if (isWanted(params, job, ownerId)) found.push(job)
    if (found.length > params.limit) break
  }
  return found
}

function isWanted({ states, application }: Params<'job.list'>, job: JobRecord, ownerId: string | null): boolean {
  if (ownerId !== null && job.owner.id !== ownerId) return false
  if (application !== undefined && job.application !== application) return false
  return states ? (states as readonly JobState[]).includes(job.state) : !(endedStates as readonly JobState[]).includes(job.state)
}

type Cursor = { readonly part: 'live'; readonly after: number } | { readonly part: 'ended'; readonly after: string | null }

function readCursor(cursor: string | undefined): Cursor {
  if (cursor === undefined) return { part: 'live', after: 0 }
  const [, part, after = ''] = /^(live|ended):(.*)$/.exec(cursor) ?? []
  if (part === 'live' && /^\d{1,15}$/.test(after)) return { part, after: Number(after) }
  if (part === 'ended' && (after === '' || /^h\/[^/]+\/\d{15}-\d{16}\/[0-9a-f-]{36}$/.test(after))) return { part, after: after || null }
  throw invalidParams([{ path: ['cursor'], message: 'is not one that a list has answered' }])
}
