// What happens to partial files once bytes no longer move: publish, remove, probe. The invariants: only the very
// file that was downloaded gets the local name; publishing may be repeated after any crash; every folder that
// changed is flushed before the answer (contract, rules 1 and 3; BITS §7.4, §7.5).
import { accessSync, closeSync, constants, fchmodSync, fstatSync, futimesSync, lstatSync, openSync, renameSync, statSync, unlinkSync, type Stats } from 'node:fs'
import { failure, type Failure } from '../../../protocol/failures.ts'
import { copyName, mostCopies } from '../../link/copy-name.ts'
import type { LocalFile } from '../../link/messages.ts'
import { codeOf, localFailure, raise } from '../failure-from.ts'
import { openPlace, type Folder, type Folders, type Place } from './folders.ts'
import { isSame, isSameOpen } from './identity.ts'
import { isOwn, refuseImpossible } from './own-file.ts'
import { renameIfFree } from './rename-if-free.ts'
import { openKnownPlace } from './volume.ts'

type Outcomes = (Failure | null)[]

/** What the owner's mask leaves of it. Asking for the mask sets it twice, so it is asked once. */
const publishedMode = 0o666 & ~process.umask()

/** `onNamed` is told which files got another name than their own (`copyName`). */
export function publishFiles(
  folders: Folders, files: readonly LocalFile[], onNamed: (at: number, copy: number) => void = () => {},
): Promise<Outcomes> {
  return eachThenSync(folders, files, (place, file, at) => {
    const copy = publishFile(place, file)
    if (copy > 0) onNamed(at, copy)
  })
}

/** A file, or a whole folder, that is not there is no failure. */
export async function removeFiles(folders: Folders, files: readonly LocalFile[]): Promise<Outcomes> {
  // Nothing is given away by removing what is ours.
  const outcomes = await eachThenSync(folders, files.map((file) => file.former ? { ...file, former: [] } : file), removeFile)
  return outcomes.map((outcome) => outcome?.code === 'folder-not-found' ? null : outcome)
}

/** May this user read, replace and remove these partial files and write their folders? (BITS §9.4) */
export function probeFiles(folders: Folders, files: readonly LocalFile[]): Outcomes {
  return files.map((file) => attempt(() => {
    const place = openPlace(folders, file.localName, file.former)
    try {
      probeFile(place, file)
    } finally {
      place.folder.release()
    }
  }))
}

async function eachThenSync(folders: Folders, files: readonly LocalFile[], act: (place: Place, file: LocalFile, at: number) => void): Promise<Outcomes> {
  const changed = new Map<Folder, number[]>()
  const outcomes = files.map((file, index) => attempt(() => {
    const place = openKnownPlace(folders, file)
    const indexes = changed.get(place.folder)
    if (indexes) place.folder.release()
    else changed.set(place.folder, [])
    act(place, file, index)
    changed.get(place.folder)?.push(index)
  }))
  await Promise.all([...changed].map(async ([folder, indexes]) => {
    try {
      if (indexes.length > 0) await folder.sync()
    } catch (error) {
      for (const index of indexes) outcomes[index] = localFailure(error)
    } finally {
      folder.release()
    }
  }))
  return outcomes
}

/** Gives back which copy it became, 0 where it has its own name. */
function publishFile({ folder, name }: Place, file: LocalFile): number {
  const inode = file.resumePoint?.inode ?? ''
  const { temporaryName, onConflict = 'replace' } = file
  const fd = openIfThere(folder.child(temporaryName))
  if (fd === null) {
    const published = copyOf(folder, name, onConflict, (stats) => isSame(inode, stats))
    if (published !== null) return published
    raise(failure('local-file-changed', 'The partial file is not in its folder. If it lies on a drive, mount that, then complete the job again.'))
  }
  try {
    const stats = fstatSync(fd)
    const isWhole = stats.size === file.resumePoint?.bytesTotal
    const isThis = (other: Stats): boolean => other.ino === stats.ino && other.dev === stats.dev
    const linked = stats.nlink === 2 && onConflict !== 'replace' ? copyOf(folder, name, onConflict, isThis) : null
    const isOurs = isWhole && isSameOpen(inode, stats, fd, isWhole) && isOwn(stats, inode) && (stats.nlink === 1 || linked !== null)
    if (!isOurs) raise(failure('local-file-changed', 'The temporary file is not the one that was downloaded.'))
    if (onConflict !== 'rename' && linked === null) refuseImpossible(folder, name)
    asFarAsItGoes('mode', () => fchmodSync(fd, publishedMode))
    const modifiedAt = file.resumePoint?.modifiedAt ?? null
    if (modifiedAt !== null) asFarAsItGoes('time', () => futimesSync(fd, Date.now() / 1000, modifiedAt / 1000))
    const copy = linked ?? takeName(folder, temporaryName, name, onConflict)
    // Only its second name is left to take away: the process ended between the two steps.
    if (linked !== null) unlinkSync(folder.child(temporaryName))
    const published = statsIfThere(folder.child(copyName(name, copy)))
    if (!published || !isThis(published)) raise(failure('local-file-changed', 'The temporary file was exchanged while it was published.'))
    return copy
  } finally {
    closeSync(fd)
  }
}

/** Some file systems know no modes or let nobody set times (vfat, CIFS, drvfs): that is no reason to withhold the file. */
function asFarAsItGoes(what: 'mode' | 'time', act: () => void): void {
  try {
    act()
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (!['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(code)) throw error
    if (!said.has(what + code)) console.warn(`the ${what} of published files cannot be set on a file system here (${code}); they are published without it`)
    said.add(what + code)
  }
}

const said = new Set<string>()

function takeName(folder: Folder, temporaryName: string, name: string, onConflict: LocalFile['onConflict']): number {
  const from = folder.child(temporaryName)
  if (onConflict === 'replace') {
    renameSync(from, folder.child(name))
    return 0
  }
  for (let copy = 0; copy <= lastCopy(onConflict); copy++) if (renameIfFree(from, folder.child(copyName(name, copy)))) return copy
  raise(failure('local-file-exists', 'There is a file of that name already.'))
}

/** Under which of the names that it could have been given the file lies; `null`: under none. */
function copyOf(folder: Folder, name: string, onConflict: LocalFile['onConflict'], isIt: (stats: Stats) => boolean): number | null {
  for (let copy = 0; copy <= lastCopy(onConflict); copy++) {
    const stats = statsIfThere(folder.child(copyName(name, copy)))
    if (stats?.isFile() && isIt(stats)) return copy
  }
  return null
}

function lastCopy(onConflict: LocalFile['onConflict']): number {
  return onConflict === 'rename' ? mostCopies : 0
}

function removeFile({ folder }: Place, file: LocalFile): void {
  const path = folder.child(file.temporaryName)
  const stats = statsIfThere(path)
  if (stats === null) return
  const inode = file.resumePoint?.inode ?? ''
  if (!isOwn(stats, isSame(inode, stats) ? inode : null)) {
    raise(failure('not-a-regular-file', 'In place of the temporary file there is something that is not ours.'))
  }
  unlinkSync(path)
}

function probeFile({ folder }: Place, file: LocalFile): void {
  accessSync(folder.child('.'), constants.W_OK | constants.X_OK)
  const path = folder.child(file.temporaryName)
  const stats = statsIfThere(path)
  if (stats === null) return
  if (!stats.isFile()) raise(failure('not-a-regular-file', 'In place of the temporary file there is something else.'))
  accessSync(path, constants.R_OK | constants.W_OK)
  const uid = process.geteuid?.() ?? stats.uid
  const parent = statSync(folder.child('.'))
  const isSticky = (parent.mode & 0o1000) !== 0 && uid !== 0 && parent.uid !== uid && stats.uid !== uid
  if (isSticky) raise(failure('access-denied', 'The temporary file belongs to somebody else.'))
}

function attempt(act: () => void): Failure | null {
  try {
    act()
    return null
  } catch (error) {
    return localFailure(error)
  }
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

function statsIfThere(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null
}
