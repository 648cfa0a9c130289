// What Linux says of a file that is open, by its number.
import { statfsSync } from 'node:fs'
import { codeOf } from './failure-from.ts'

const ext4 = 0xef53

/** Leads to the very file, whatever its name is now. */
export function pathOf(fd: number): string {
  return `/proc/self/fd/${fd}`
}

/** Elsewhere than on Linux: no. Its elders, ext2 and ext3, call themselves by the same number. */
export function isExt4(fd: number): boolean {
  if (process.platform !== 'linux') return false
  try {
    return statfsSync(pathOf(fd)).type === ext4
  } catch (error) {
    // A machine may do without /proc.
    if (codeOf(error) === 'unknown') throw error
    return false
  }
}
