// Lets things with the same key happen one after another, in the order in which they were asked for.

export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Runs at once where nobody is ahead, so that what is cheap stays cheap. */
  run<T>(key: string, act: () => T | Promise<T>): T | Promise<T> {
    const ahead = this.#last.get(key)
    const turn = ahead ? ahead.then(act) : act()
    if (turn instanceof Promise) {
      const settled: Promise<unknown> = turn.then(() => undefined, () => undefined).then(() => {
        if (this.#last.get(key) === settled) this.#last.delete(key)
      })
      this.#last.set(key, settled)
    }
    return turn
  }

  /** Resolves when everything asked for so far has happened. */
  async settled(): Promise<void> {
    await Promise.all(this.#last.values())
  }
}
