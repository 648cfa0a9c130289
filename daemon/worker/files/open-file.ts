// What Linux says of a file that is open, by its number.
import { statfsSync } from 'node:fs'
import { codeOf } from '../failure-from.ts'

/** By what they call themselves, statfs(2). The elders of ext4, ext2 and ext3, have the same number. */
const fileSystems: Readonly<Record<number, 'ext4' | 'tmpfs'>> = { 0xef53: 'ext4', 0x01021994: 'tmpfs' }

/** Leads to the very file, whatever its name is now. */
export function pathOf(fd: number): string {
  return `/proc/self/fd/${fd}`
}

/** `null`: some other one, or not on Linux. */
export function fileSystemOf(fd: number): 'ext4' | 'tmpfs' | null {
  if (process.platform !== 'linux') return null
  try {
    return fileSystems[statfsSync(pathOf(fd)).type] ?? null
  } catch (error) {
    // A machine may do without /proc.
    if (codeOf(error) === 'unknown') throw error
    return null
  }
}
