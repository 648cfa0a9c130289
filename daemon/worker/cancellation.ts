// Tells one piece of work that it shall end, and why. `AbortSignal` says the same for a multiple of the cost, which
// very small files would notice: theirs is an event target with a list of listeners, this is one field.

export class Cancellation {
  #reason: { readonly reason: unknown } | null = null
  #act: (() => void) | null = null

  get isCancelled(): boolean {
    return this.#reason !== null
  }

  /** What `cancel` was given first; `null` before that. */
  get reason(): unknown {
    return this.#reason?.reason ?? null
  }

  /** Has no effect the second time. */
  cancel(reason: unknown): void {
    if (this.#reason) return
    this.#reason = { reason }
    this.#act?.()
  }

  throwIfCancelled(): void {
    if (this.#reason) throw this.#reason.reason
  }

  /** What shall be done when it is cancelled. One wait after the other: the last one counts, `null` ends it. */
  onCancel(act: (() => void) | null): void {
    this.#act = act
  }
}
