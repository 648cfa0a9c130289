// The two clocks, and the one timer that everything in the broker waits on. Wall time is for what people read; delays
// run on the monotonic clock, so that a changed system clock triggers nothing and delays nothing.

export const now = (): number => Date.now()
export const monotonic = (): number => performance.now()

/** `setTimeout` holds 31 bits; a longer wait would fire at once. */
const longestTimerMs = 2 ** 31 - 1

/**
 * Due times by key, on the monotonic clock, behind one timer. A time may be put off or taken back at no cost: the
 * timer then fires early, finds nothing due and is set again.
 */
export class DueTimes {
  readonly #due = new Map<string, number>()
  readonly #onDue: (key: string) => void
  #timer: NodeJS.Timeout | null = null
  #firesAt = Infinity

  constructor(onDue: (key: string) => void) {
    this.#onDue = onDue
  }

  /** Calls for the key once, `delayMs` from now; replaces what was set for it. */
  set(key: string, delayMs: number): void {
    const at = monotonic() + delayMs
    this.#due.set(key, at)
    if (at < this.#firesAt) this.#arm(at)
  }

  has(key: string): boolean {
    return this.#due.has(key)
  }

  clear(key: string): void {
    if (this.#due.delete(key) && this.#due.size === 0) this.close()
  }

  close(): void {
    this.#due.clear()
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    this.#firesAt = Infinity
  }

  #arm(at: number): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#firesAt = at
    this.#timer = setTimeout(() => this.#fire(), Math.min(Math.max(0, at - monotonic()), longestTimerMs))
  }

  #fire(): void {
    this.#timer = null
    this.#firesAt = Infinity
    const at = monotonic()
    // A timer may fire a fraction of a millisecond early; what is that near is due.
    const due = [...this.#due].filter(([, dueAt]) => dueAt - at < 1).map(([key]) => key)
    for (const key of due) this.#due.delete(key)
    let next = Infinity
    for (const dueAt of this.#due.values()) next = Math.min(next, dueAt)
    if (next < this.#firesAt) this.#arm(next)
    for (const key of due) this.#onDue(key)
  }
}
