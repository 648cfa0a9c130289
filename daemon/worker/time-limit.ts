// How long the present wait may last. Set from where the wait begins, which knows no clock; counted from the next tick on.

/** So long nothing may come of a body that has begun. */
export const bodyLimitMs = 60_000

export class TimeLimit {
  #deadline = Infinity
  #limitMs: number | null = null

  /** A wait of at most so many milliseconds begins; `null`: none. */
  set(limitMs: number | null): void {
    this.#limitMs = limitMs
    if (limitMs === null) this.#deadline = Infinity
  }

  isOver(now: number): boolean {
    if (this.#limitMs !== null) this.#deadline = now + this.#limitMs
    this.#limitMs = null
    return now > this.#deadline
  }
}
