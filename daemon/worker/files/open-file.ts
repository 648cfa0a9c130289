// What Linux says of a file that is open, by its number.
import { statfsSync } from 'node:fs'
import { codeOf } from '../failure-from.ts'

/** By what they call themselves, statfs(2). The elders of ext4, ext2 and ext3, have the same number. */
const fileSystems: Readonly<Record<number, 'ext4' | 'tmpfs'>> = { 0xef53: 'ext4', 0x01021994: 'tmpfs' }

/**
 * Those that say where a file has holes, and put a file's length on the disk after the bytes before it: ext4, tmpfs, xfs, btrfs, and
 * overlayfs, which hands on what lies below it.
 */
const orderly: ReadonlySet<number> = new Set([0xef53, 0x01021994, 0x58465342, 0x9123683e, 0x794c7630])

/** Leads to the very file, whatever its name is now. */
export function pathOf(fd: number): string {
  return `/proc/self/fd/${fd}`
}

/** `null`: some other one, or not on Linux. */
export function fileSystemOf(fd: number): 'ext4' | 'tmpfs' | null {
  return fileSystems[typeOf(fd) ?? 0] ?? null
}

/** Are the bytes that were written to it told from those that were not, whatever killed the writer? */
export function keepsOrder(fd: number): boolean {
  return orderly.has(typeOf(fd) ?? 0)
}

/** `null`: nobody says. */
export function typeOf(fd: number): number | null {
  if (process.platform !== 'linux') return null
  try {
    return statfsSync(pathOf(fd)).type
  } catch (error) {
    // A machine may do without /proc.
    if (codeOf(error) === 'unknown') throw error
    return null
  }
}
