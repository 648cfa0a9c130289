// What of a partial file counts that was written and not flushed. A process that dies takes nothing with it that the kernel has: until the
// machine starts again it is all there. What truly was written is told by a note, or, where bytes came one after the other, by the file:
// they end where it does, or at its first hole, since of two writes past the cache the later one may have been the one that was made.
import type { Stats } from 'node:fs'
import type { ResumePoint } from '../../link/messages.ts'
import { libc } from '../../libc.ts'
import { Coverage } from './coverage.ts'
import { keepsOrder } from './open-file.ts'
import { bootId } from './volume.ts'

/** lseek(2) */
const seekHole = 4
/** What lies before a hole is whole but for the last block, whose size is at most this. */
const largestBlock = 64 * 1024

type Seek = (fd: number, offset: number, whence: number) => number
/** `null`: there is none to be had here. */
let seek: Seek | null | undefined

/** `durable`: what was flushed. */
export function trustedBytes(fd: number, { size, dev }: Stats, { place, bytesTotal }: ResumePoint, durable: Coverage): Coverage {
  const trusted = durable.copy()
  const isHere = place !== undefined && place.boot !== '' && place.boot === bootId && place.device === String(dev)
  if (!isHere || !keepsOrder(fd)) return trusted
  for (const [from, to] of place.written ?? [[durable.prefix, endOfData(fd, durable.prefix, size)]]) trusted.add(from, to)
  return trusted.upTo(Math.min(size, bytesTotal ?? size))
}

function endOfData(fd: number, from: number, size: number): number {
  if (from >= size) return from
  seek = seek === undefined ? load() : seek
  const hole = seek?.(fd, from, seekHole) ?? -1
  return hole >= size ? size : Math.max(from, hole - largestBlock)
}

function load(): Seek | null {
  try {
    return libc().func('int64_t lseek(int fd, int64_t offset, int whence)') as Seek
  } catch (error) {
    console.error('what was written to a file cannot be told:', error)
    return null
  }
}
