// Who the owner of a job is to the file system, at the moment in which he loses it.
import type { Before } from '../core/take-over.ts'
import { groupIdsOf } from './workers/account.ts'

/** Where users have no numbers, nobody but the one whom the service runs as has jobs. */
export async function asFormerOwner(id: string): Promise<Before> {
  const uid = Number(id)
  return Number.isInteger(uid) && uid > 0 ? { uid, groups: await groupIdsOf(uid) } : 'root'
}
