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

/** `read`: settles when nobody reads it any more. `null`: nobody does. */
export function giveBufferAfter(read: Promise<void> | null, buffer: Buffer): void {
  const give = (): void => { if (buffer.length === largestBuffer && kept.length < mostKept) kept.push(buffer) }
  if (read) void read.then(give, give)
  else give()
}

interface Full {
  readonly buffer: Buffer
  /** How many of it the disk takes, if it does. */
  readonly bytes: number
  /** Settle when the disk is through with it, and a hash. `null`: they have nothing to do with it. */
  readonly written: Promise<void> | null
  readonly seen: Promise<void> | null
}

interface Resting {
  readonly buffer: Buffer
  /** Settles when nobody reads it any more; then it is `null`. */
  read: Promise<void> | null
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

  /** Buffers that are still read. */
  get underWay(): number {
    let count = 0
    for (const { read } of this.#resting) if (read) count += 1
    return count
  }

  /** Resolves when the first of them is not read any more. Rejects with what went wrong. `null`: none is read. */
  get firstRead(): Promise<void> | null {
    for (const { read } of this.#resting) if (read) return read
    return null
  }

  /** Takes a full one for one that nobody reads. */
  exchange(full: Full): Buffer {
    const [oldest] = this.#resting
    this.#add(full)
    if (!oldest || oldest.read) return takeBuffer(null)
    this.#resting.shift()
    return oldest.buffer
  }

  throwIfFailed(): void {
    if (this.#failure) throw this.#failure
  }

  /** Until none of them is read any more. Throws what went wrong. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#resting.map(({ read }) => read))
    this.throwIfFailed()
  }

  /** Gives each of them back when nobody reads it any more. */
  release(): void {
    for (const { buffer, read } of this.#resting.splice(0)) giveBufferAfter(read, buffer)
  }

  #add({ buffer, bytes, written, seen }: Full): void {
    const resting: Resting = { buffer, read: null }
    this.#resting.push(resting)
    if (written) this.#bytesUnderWay += bytes
    const isWritten = (): void => { this.#bytesUnderWay -= bytes }
    void written?.then(isWritten, isWritten)
    // Both, whatever happens to one of them.
    resting.read = Promise.allSettled([written, seen]).then((ends) => {
      resting.read = null
      for (const end of ends) if (end.status === 'rejected') throw this.#failure ??= asError(localFailure(end.reason))
    })
    // Who waits is told; who does not asks.
    resting.read.catch(() => {})
  }
}
