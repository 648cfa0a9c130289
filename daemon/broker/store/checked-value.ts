// A value as it lies on disk: before it the CRC-32 of its key and its text. LevelDB's own checksums are not looked at on
// every read, and a job with one digit changed, or under another's key, is worse than a job that is gone.
import { crc32 } from 'node:zlib'

export function seal(key: string, text: string): string {
  return checksum(key, text) + text
}

/** The text, or `null` where it is not what was written under this key. */
export function unseal(key: string, value: string): string | null {
  const text = value.slice(8)
  return checksum(key, text) === value.slice(0, 8) ? text : null
}

function checksum(key: string, text: string): string {
  return crc32(text, crc32(`${key}\n`)).toString(16).padStart(8, '0')
}
