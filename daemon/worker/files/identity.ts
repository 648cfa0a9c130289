// What tells a file from every other, for as long as it exists: its number and, where the file system keeps one, the time of its birth,
// since a number is given away again. Never the number of the device: a disk gets another one whenever it is connected
// anew, and btrfs, NFS and FUSE hand out a fresh one at each mount. Notes of earlier versions, which have a device in front, are understood.
import { statSync, type Stats } from 'node:fs'
import { typeOf } from './open-file.ts'

export type Numbered = Pick<Stats, 'ino' | 'birthtimeMs'>

/** Whose this process is; that never changes once it has begun. */
const ownUid = process.geteuid?.()

/** FAT and exFAT have no numbers on the disk: the kernel invents them at each mount. Many FUSE servers do too. statfs(2). */
const invented: ReadonlySet<number> = new Set([0x4d44, 0x2011bab0, 0x65735546])

/**
 * Without statx(2) Node gives the time of the last change for that of birth. The files of /proc have no birth, so a time there is no
 * real one. Elsewhere than on Linux it may be set by anybody.
 */
const hasBirths = process.platform === 'linux' && statSync('/proc/self', { throwIfNoEntry: false })?.birthtimeMs === 0

/** `uid`: where the file system shows another owner than the one who made the file (drvfs, CIFS, NFS with all_squash), it is kept too. */
export function identityOf({ ino, birthtimeMs, uid = ownUid }: Numbered & { readonly uid?: number | undefined }): string {
  return `${ino}@${birthOf(birthtimeMs)}${uid === ownUid ? '' : `u${uid}`}`
}

/** Whom the file system showed as the owner when the file was made; `null`: the user of this process. */
export function shownOwnerOf(identity: string): number | null {
  return parsed(identity).uid
}

/** Is `stats` what was called `identity`? */
export function isSame(identity: string, stats: Numbered): boolean {
  const known = parsed(identity)
  return known.ino === String(stats.ino) && !contradicts(known.birth, stats)
}

/**
 * The same for a file that is open and that only we can have named: where numbers do not last, the time of its birth says it. `isWhole`: it is
 * known to have the size that it should have, which will do where there is no time of birth either.
 */
export function isSameOpen(identity: string, stats: Numbered, fd: number, isWhole: boolean): boolean {
  if (isSame(identity, stats)) return true
  const { birth } = parsed(identity)
  if (contradicts(birth, stats)) return false
  const isBorn = birth !== 0 && birthOf(stats.birthtimeMs) !== 0
  return (isBorn || isWhole) && hasInventedNumbers(fd)
}

/** Does this identity hold for one file among all that ever were on its disk? */
export function isUnique(identity: string): boolean {
  return parsed(identity).birth !== 0
}

function parsed(identity: string): { readonly ino: string; readonly birth: number; readonly uid: number | null } {
  const [, ino = '', birth = '0', uid] = /^(?:\d+:)?(\d+)(?:[@:]([\d.]+))?(?:u(\d+))?$/.exec(identity) ?? []
  return { ino, birth: birthOf(Number(birth)), uid: uid === undefined ? null : Number(uid) }
}

function contradicts(birth: number, stats: Numbered): boolean {
  const other = birthOf(stats.birthtimeMs)
  return birth !== 0 && other !== 0 && birth !== other
}

function birthOf(birthtimeMs: number): number {
  return hasBirths ? birthtimeMs : 0
}

function hasInventedNumbers(fd: number): boolean {
  return invented.has(typeOf(fd) ?? 0)
}
