// The checksum of a file, computed while its bytes arrive. Only what an earlier attempt left is read back, once.
import { createHash, timingSafeEqual, type Hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { failure } from '../../protocol/failures.ts'
import type { TransferOrder } from '../link/messages.ts'
import type { Cancellation } from './cancellation.ts'
import { raise } from './failure-from.ts'
import type { PartialFile } from './partial-file.ts'

const pieceBytes = 1024 * 1024

/** A hash that has seen the first `length` bytes of `file`. */
export async function hashOf(file: PartialFile, length: number, algorithm: string, cancellation: Cancellation): Promise<Hash> {
  const hash = createHash(algorithm)
  await hashRest(hash, file, 0, length, cancellation)
  return hash
}

/** Shows `hash` the bytes of `file` from `from` to `length`. Lets other transfers run in between. */
export async function hashRest(hash: Hash, file: PartialFile, from: number, length: number, cancellation: Cancellation): Promise<void> {
  const piece = length > from ? Buffer.allocUnsafeSlow(Math.min(pieceBytes, length - from)) : null
  for (let at = from; piece && at < length;) {
    const count = file.read(piece.subarray(0, Math.min(piece.length, length - at)), at)
    if (count === 0) raise(failure('local-file-changed', 'The temporary file is shorter than it was.'))
    hash.update(piece.subarray(0, count))
    at += count
    await nextTurn()
    cancellation.throwIfCancelled()
  }
}

export function isExpected(hash: Hash, checksum: NonNullable<TransferOrder['checksum']>): boolean {
  const wanted = Buffer.from(checksum.value, 'hex')
  const found = hash.digest()
  return wanted.length === found.length && timingSafeEqual(wanted, found)
}
