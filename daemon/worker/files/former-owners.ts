// A job that was taken over goes on with names that another user chose. He gets nothing written by it that he could not have written
// himself: the folders on the way, the last of them, and what lies under the name must have let him, by owner, groups and mode as the new owner
// sees them. Rights beyond these (access control lists) are not seen, and count as none.
import { fstatSync, lstatSync, type Stats } from 'node:fs'
import { failure } from '../../../protocol/failures.ts'
import type { LocalFile } from '../../link/messages.ts'
import { raise } from '../failure-from.ts'

export type Former = NonNullable<LocalFile['former']>

const search = 1
const writeAndSearch = 3

/** Throws `access-denied` where one of them may not pass through this folder. */
export function refuseUnsearchable(stats: Stats, former: Former): void {
  refuse(former.every((one) => may(one, stats, search)))
}

export function refuseUnwritable(stats: Stats, former: Former): void {
  refuse(former.every((one) => may(one, stats, writeAndSearch)))
}

/** In a sticky folder a file may be replaced by its owner and the folder's alone, unlink(2). */
export function refuseForeignTarget(folder: { readonly fd: number; child(name: string): string }, name: string, former: Former): void {
  const parent = fstatSync(folder.fd)
  if ((parent.mode & 0o1000) === 0) return
  const target = lstatSync(folder.child(name), { throwIfNoEntry: false })
  refuse(!target || former.every(({ uid }) => target.uid === uid || parent.uid === uid))
}

function may({ uid, groups }: Former[number], stats: Stats, wanted: number): boolean {
  const shift = stats.uid === uid ? 6 : groups.includes(stats.gid) ? 3 : 0
  return (stats.mode >> shift & wanted) === wanted
}

function refuse(isAllowed: boolean): void {
  if (!isAllowed) raise(failure('access-denied', 'The owner of the job before could not have written this file.'))
}
