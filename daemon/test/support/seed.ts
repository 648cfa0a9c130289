// Randomness that can be had again: one seed for the run, printed where something goes wrong, and how many rounds there are.
// `scripts/torture.ts` sets both by the environment; a plain test run takes a new seed and few rounds.
export const seed = Number(process.env['BACKHAUL_TORTURE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

export function rounds(few: number): number {
  return Number(process.env['BACKHAUL_TORTURE_ROUNDS'] ?? few)
}

export const longestSession = 40

/**
 * What is to be judged after each round grows with every round, so many rounds are several sessions, each from nothing. `number`
 * counts from 0, and is to be added to the seed.
 */
export function sessions(allRounds: number): { readonly number: number; readonly name: string; readonly rounds: number }[] {
  const count = Math.ceil(allRounds / longestSession)
  return Array.from({ length: count }, (_, number) => ({
    number, name: count === 1 ? '' : ` (session ${number + 1} of ${count})`, rounds: Math.min(longestSession, allRounds - number * longestSession),
  }))
}

export class Chance {
  #state: number

  constructor(from: number) {
    this.#state = from >>> 0
  }

  /** In [0, 1). (mulberry32) */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  is(probability: number): boolean {
    return this.next() < probability
  }

  /** One of them; there must be one. */
  of<T>(choices: readonly T[]): T {
    const chosen = choices[this.below(choices.length)]
    if (chosen === undefined) throw new Error('there is nothing to choose from')
    return chosen
  }
}
