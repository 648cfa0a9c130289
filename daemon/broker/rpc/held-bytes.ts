// What connections make the service hold: half lines, answers that wait for the rest of their batch, and what nobody has read yet.
// It is counted over all connections of a user, and of everybody; over the budget the connection that holds most is cut.

export interface Holder {
  readonly ownerId: string
  cut(why: string): void
}

export interface Budget {
  readonly ofOwner: number
  readonly ofMachine: number
}

const mebibyte = 1024 * 1024
const usualBudget: Budget = { ofOwner: 64 * mebibyte, ofMachine: 512 * mebibyte }

export class HeldBytes {
  readonly #budget: Budget
  readonly #byHolder = new Map<Holder, number>()
  readonly #byOwner = new Map<string, number>()
  #total = 0

  constructor(budget: Budget = usualBudget) {
    this.#budget = budget
  }

  /** What the holder holds now; 0 when it has ended. */
  note(holder: Holder, bytes: number): void {
    this.#set(holder, bytes)
    while ((this.#byOwner.get(holder.ownerId) ?? 0) > this.#budget.ofOwner) this.#cutLargest(holder.ownerId, 'the connections of its owner hold too much')
    while (this.#total > this.#budget.ofMachine) this.#cutLargest(largestOf(this.#byOwner), 'all connections together hold too much')
  }

  #cutLargest(ownerId: string | null, why: string): void {
    const largest = largestOf(new Map([...this.#byHolder].filter(([holder]) => holder.ownerId === ownerId)))
    if (!largest) return
    this.#set(largest, 0)
    largest.cut(why)
  }

  #set(holder: Holder, bytes: number): void {
    const more = bytes - (this.#byHolder.get(holder) ?? 0)
    if (bytes === 0) this.#byHolder.delete(holder)
    else this.#byHolder.set(holder, bytes)
    const ofOwner = (this.#byOwner.get(holder.ownerId) ?? 0) + more
    if (ofOwner === 0) this.#byOwner.delete(holder.ownerId)
    else this.#byOwner.set(holder.ownerId, ofOwner)
    this.#total += more
  }
}

function largestOf<Key>(sizes: ReadonlyMap<Key, number>): Key | null {
  let largest: readonly [Key, number] | null = null
  for (const each of sizes) if (!largest || each[1] > largest[1]) largest = each
  return largest && largest[0]
}
