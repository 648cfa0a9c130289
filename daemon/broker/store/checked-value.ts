// A value as it lies on disk: the CRC-32 of its text before it. LevelDB's own checksums are not looked at on every
// read, and a job with one digit changed is worse than a job that is gone.
import { crc32 } from 'node:zlib'

export function seal(text: string): string {
  return crc32(text).toString(16).padStart(8, '0') + text
}

/** The text, or `null` where it is not what was written. */
export function unseal(value: string): string | null {
  const text = value.slice(8)
  return crc32(text).toString(16).padStart(8, '0') === value.slice(0, 8) ? text : null
}
