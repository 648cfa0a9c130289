// A checksum in the making, computed here and now. What is shown to it is seen when `update` returns.
import { createHash } from 'node:crypto'
import { failure } from '../../../protocol/failures.ts'

export interface RunningHash {
  /**
   * Shows it the next bytes. Gives a ticket for `waitFor`: until it is through with them, bytes in shared memory must stay as they
   * are. Bytes in other memory are the caller's again at once.
   */
  update(bytes: Uint8Array): number
  /** Blocks until the bytes are seen that `ticket` was given for, and all before them. `false`: they never will be. */
  waitFor(ticket: number): boolean
  /** Of everything that it was shown. */
  digest(): Promise<Buffer>
  /** Nobody wants it any more. */
  drop(): void
}

export const notComputed = failure('internal-error', 'The checksum could not be computed.')

/** The ticket for what was seen already. */
export const seen = 0

export function hashHere(algorithm: string): RunningHash {
  const hash = createHash(algorithm)
  return {
    update(bytes) {
      hash.update(bytes)
      return seen
    },
    waitFor: () => true,
    async digest() {
      return hash.digest()
    },
    drop() {},
  }
}
