// When the partial files of a job that ended are to be removed again, where that could not be done: the folder may be read-only for a
// while, or on a drive that is away. Kept in memory; a start tries all of them at once. What an owner can have waiting is bounded.
const firstMs = 60_000
const longestMs = 3_600_000
/** More than a week. */
const mostTries = 200
const mostPerOwner = 100

export class RemovalRetries {
  readonly #tries = new Map<string, { readonly owner: string; readonly count: number }>()

  /** From now to the next attempt; `null`: it is given up. */
  next(jobId: string, owner: string): number | null {
    const count = this.#tries.get(jobId)?.count ?? 0
    let waiting = 0
    if (count === 0) for (const other of this.#tries.values()) if (other.owner === owner) waiting += 1
    if (count >= mostTries || waiting >= mostPerOwner) {
      this.#tries.delete(jobId)
      return null
    }
    this.#tries.set(jobId, { owner, count: count + 1 })
    return Math.min(firstMs * 2 ** count, longestMs)
  }

  done(jobId: string): void {
    this.#tries.delete(jobId)
  }
}
