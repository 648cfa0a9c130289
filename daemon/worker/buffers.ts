// The buffers of bodies. A large one begins where a page of memory does and can be read by other threads; such memory is slow
// to come by, so some of it is kept for the next body. The invariant: nothing is put into a buffer that the disk or a hash still reads.
import { asError, localFailure } from './failure-from.ts'
import { alignedBuffer } from './files/direct-writes.ts'

export const largestBuffer = 1024 * 1024
const mostKept = 4
const kept: Buffer[] = []

/** For `expected` bytes, or for as many as may come. */
export function takeBuffer(expected: number | null): Buffer {
  // One byte more than expected, so that it shows if a server sends too much.
  if (expected !== null && expected + 1 < largestBuffer) return Buffer.allocUnsafeSlow(expected + 1)
  return kept.pop() ?? alignedBuffer(largestBuffer)
}

/** Nobody may read it any more. */
export function giveBuffer(buffer: Buffer): void {
  if (buffer.length === largestBuffer && kept.length < mostKept) kept.push(buffer)
}

interface Full {
  readonly buffer: Buffer
  /** How many of it the disk reads, if it does. */
  readonly bytes: number
  /** Of the hash, for what it was shown. */
  readonly ticket: number
  /** Settles when the disk is through with it; `null`: it has nothing to do with it. */
  readonly writing: Promise<void> | null
}

interface Resting {
  readonly buffer: Buffer
  readonly ticket: number
  /** Until the disk is through with it. */
  written: Promise<void> | null
}

/** Those of one body that are full and still read, in the order in which they were filled. */
export class RestingBuffers {
  readonly #resting: Resting[] = []
  #bytesUnderWay = 0
  #failure: Error | null = null

  /** Bytes that the disk is at. */
  get bytesUnderWay(): number {
    return this.#bytesUnderWay
  }

  /** Buffers that the disk is at. */
  get underWay(): number {
    let count = 0
    for (const { written } of this.#resting) if (written) count += 1
    return count
  }

  /** Resolves when the disk is through with the first that it is at. Rejects with what it said. `null`: it is at none. */
  get firstWritten(): Promise<void> | null {
    for (const { written } of this.#resting) if (written) return written
    return null
  }

  /** Takes a full one for one that nobody reads; blocks until the hash is through with that. `null`: it never will be. */
  exchange(full: Full, waitFor: (ticket: number) => boolean): Buffer | null {
    const [oldest] = this.#resting
    this.#add(full)
    if (!oldest || oldest.written) return takeBuffer(null)
    this.#resting.shift()
    return waitFor(oldest.ticket) ? oldest.buffer : null
  }

  throwIfFailed(): void {
    if (this.#failure) throw this.#failure
  }

  /** Until the disk is through with all of them. Throws what it said. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#resting.map(({ written }) => written))
    this.throwIfFailed()
  }

  /** Gives them back as soon as the disk is through with each. The hash must be. */
  release(): void {
    for (const { buffer, written } of this.#resting.splice(0)) {
      if (written) void written.catch(() => {}).then(() => giveBuffer(buffer))
      else giveBuffer(buffer)
    }
  }

  #add({ buffer, bytes, ticket, writing }: Full): void {
    const resting: Resting = { buffer, ticket, written: null }
    this.#resting.push(resting)
    if (!writing) return
    this.#bytesUnderWay += bytes
    resting.written = writing.catch((error: unknown) => {
      throw this.#failure ??= asError(localFailure(error))
    }).finally(() => {
      resting.written = null
      this.#bytesUnderWay -= bytes
    })
    // Who waits is told; who does not asks.
    resting.written.catch(() => {})
  }
}
