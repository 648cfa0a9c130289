// Which file is ours: opened without following anything, told from every other by its number, and never one that somebody else has put there.
import { constants, lstatSync, openSync, type Stats } from 'node:fs'
import { failure } from '../../../protocol/failures.ts'
import { codeOf, raise } from '../failure-from.ts'
import type { Folder } from './folders.ts'
import { shownOwnerOf } from './identity.ts'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants

/** Whose this process is; that never changes once it has begun. */
const ownUid = process.geteuid?.()

/**
 * A regular file of this user? `known`: the identity that it has by the resume point, `null` where it is not that very file. Root may have
 * taken it over, and some file systems show another owner than the one who made it; then it must be the one shown when it was made.
 */
export function isOwn(stats: Stats, known: string | null, uid: number = ownUid ?? stats.uid): boolean {
  if (!stats.isFile()) return false
  return stats.uid === uid || (known !== null && (uid === 0 || stats.uid === shownOwnerOf(known)))
}

/** A second name would lead our bytes into somebody's other file. */
export function refuseForeign(stats: Stats, known: string | null): void {
  if (!isOwn(stats, known) || stats.nlink !== 1) raise(failure('not-a-regular-file', 'In place of the temporary file there is something that is not ours.'))
}

/** Opens the file, or makes it. What was there is to be looked at (`refuseForeign`). Throws what the system says. */
export function openOwn(path: string): { fd: number; isNew: boolean } {
  try {
    return { fd: openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600), isNew: true }
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
  // Without waiting at a FIFO, without following a link, and without making anything.
  return { fd: openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK), isNew: false }
}

/**
 * Can a file have this local name in the end? Asked before it is fetched, and again when it is published: a device, a pipe or a socket would
 * be replaced by a file, which is the end of `/dev/null`. A link is replaced, not followed. Throws what the system says of a name that is too long.
 */
export function refuseImpossible(folder: Folder, name: string): void {
  const found = lstatSync(folder.child(name), { throwIfNoEntry: false })
  if (!found || found.isFile() || found.isSymbolicLink()) return
  const kind = found.isDirectory() ? 'folder' : found.isFIFO() ? 'pipe' : found.isSocket() ? 'socket' : 'device'
  raise(failure('not-a-regular-file', `Under the local name there is a ${kind}.`))
}
