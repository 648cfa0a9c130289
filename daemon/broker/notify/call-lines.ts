// One line of waiting calls for each user: so many of his calls are under way at once, over all his endpoints, and no
// more (contract §4 rule 4). What waits goes in order, `modification` last. Users do not wait for one another.

/** Makes the call; `null` where there is nothing to call for any more. Must not reject. */
export type Call = () => Promise<void> | null

interface Line {
  underWay: number
  readonly first: Call[]
  readonly last: Call[]
}

export class CallLines {
  readonly #atOnce: () => number
  readonly #lines = new Map<string, Line>()

  constructor(atOnce: () => number) {
    this.#atOnce = atOnce
  }

  ask(userId: string, rank: 'first' | 'last', call: Call): void {
    const line = this.#lines.get(userId) ?? { underWay: 0, first: [], last: [] }
    this.#lines.set(userId, line)
    line[rank].push(call)
    this.#move(userId, line)
  }

  close(): void {
    for (const line of this.#lines.values()) {
      line.first.length = 0
      line.last.length = 0
    }
  }

  #move(userId: string, line: Line): void {
    while (line.underWay < this.#atOnce()) {
      const call = line.first.shift() ?? line.last.shift()
      if (!call) break
      // Counted before it is made: making it may ask for another.
      line.underWay++
      const made = call()
      if (made === null) line.underWay--
      else void made.finally(() => {
        line.underWay--
        this.#move(userId, line)
      })
    }
    if (line.underWay === 0 && line.first.length === 0 && line.last.length === 0) this.#lines.delete(userId)
  }
}
