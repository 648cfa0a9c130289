// A checksum in the making, computed here and now. What is shown to it is seen when `update` returns.
import { createHash } from 'node:crypto'

export interface RunningHash {
  /**
   * Shows it the next bytes. Resolves when it is through with them, `null`: it is already; rejects if it never will be. Until then bytes in
   * shared memory must stay as they are; bytes in other memory are the caller's again at once. Whoever shows it more and more should wait.
   */
  update(bytes: Uint8Array): Promise<void> | null
  /** Of everything that it was shown. */
  digest(): Promise<Buffer>
  /** Nobody wants it any more. */
  drop(): void
}

export function hashHere(algorithm: string): RunningHash {
  const hash = createHash(algorithm)
  return {
    update(bytes) {
      hash.update(bytes)
      return null
    },
    async digest() {
      return hash.digest()
    },
    drop() {},
  }
}
