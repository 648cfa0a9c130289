// Does the content fit the checksum that the job names? Computed while the bytes arrive; read back is only what an earlier
// attempt left, and what came out of order. The invariant: what it was shown is one stretch, from the first byte on.
import { timingSafeEqual } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { failure } from '../../../protocol/failures.ts'
import type { TransferOrder } from '../../link/messages.ts'
import type { Cancellation } from '../cancellation.ts'
import { raise } from '../failure-from.ts'
import type { Hashing } from './hashing.ts'
import type { PartialFile } from '../files/partial-file.ts'
import type { RunningHash } from './running-hash.ts'

const pieceBytes = 1024 * 1024

export class ContentHash {
  readonly #checksum: NonNullable<TransferOrder['checksum']>
  readonly #hashing: Hashing
  #running: RunningHash | null = null
  #shown = 0

  constructor(checksum: NonNullable<TransferOrder['checksum']>, hashing: Hashing) {
    this.#checksum = checksum
    this.#hashing = hashing
  }

  /** What shall be shown the bytes from `offset` on, of `total`; `null`: nothing, since others are missing before them. */
  from(offset: number, total: number | null): RunningHash | null {
    if (offset !== this.#shown) return null
    return this.#running ??= this.#hashing.begin(this.#checksum.algorithm, total)
  }

  /** It was shown everything before `offset`. */
  shownTo(offset: number): void {
    this.#shown = offset
  }

  /** Shows it the bytes of `file` up to `to`, of `total`, those that it has not seen. Lets other transfers run in between. */
  async readBack(file: PartialFile, to: number, total: number, cancellation: Cancellation): Promise<void> {
    if (this.#shown >= to) return
    const running = this.from(this.#shown, total)
    // One is read while the other is hashed. Shared memory, which no thread has to be given a copy of.
    const pieces = [sharedPiece(to - this.#shown), sharedPiece(to - this.#shown)] as const
    let before: Promise<void> | null = null
    for (let turn: 0 | 1 = 0; running && this.#shown < to; turn = turn === 0 ? 1 : 0) {
      const piece = pieces[turn]
      const count = file.read(piece.subarray(0, Math.min(piece.length, to - this.#shown)), this.#shown)
      if (count === 0) raise(failure('local-file-changed', 'The temporary file is shorter than it was.'))
      const seen = running.update(piece.subarray(0, count))
      this.#shown += count
      await nextTurn()
      cancellation.throwIfCancelled()
      await before
      before = seen
    }
  }

  async fits(): Promise<boolean> {
    const wanted = Buffer.from(this.#checksum.value, 'hex')
    const found = await this.from(this.#shown, 0)?.digest()
    return found !== undefined && wanted.length === found.length && timingSafeEqual(wanted, found)
  }

  /** Forgets everything: other content comes, or none. */
  startOver(): void {
    this.#running?.drop()
    this.#running = null
    this.#shown = 0
  }
}

function sharedPiece(bytes: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(Math.min(pieceBytes, bytes)))
}
