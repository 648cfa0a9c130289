// Numbers that rise strictly, over all owners and restarts. They are given from a block that is reserved on disk, so
// that one that was told to somebody, but belongs to nothing stored, never comes again.

const blockSize = 100_000

export class Sequence {
  #last: number
  #reserved: number

  /** @param reserved every number given before the start is at most this */
  constructor(reserved: number) {
    this.#last = reserved
    this.#reserved = reserved
  }

  next(): number {
    return ++this.#last
  }

  /** The new end of the block, where it must be written now; `null` while enough of it is left. */
  wanted(): number | null {
    return this.#last < this.#reserved - blockSize / 2 ? null : this.#last + blockSize
  }

  /** The block up to here is on disk. */
  reserved(upTo: number): void {
    this.#reserved = Math.max(this.#reserved, upTo)
  }
}
