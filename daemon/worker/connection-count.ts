// How many connections one file shall have, when that is left to us: one, unless a second made it clearly faster, then more
// as long as more helps. From far away a large file has all of them at once: there one connection takes seconds to get going
// and often has too small a window, so that trying first costs more than it can save. Pure: it is told how many bytes are
// there and what time it is. The invariant: on a fast link, or near the end, it stays with what there is; what did not help
// is taken back and not tried again.

/** Of one file, and of all files from one server. */
export const mostConnections = 8
/** Above this one connection is no longer what limits. */
const fastBytesPerSecond = 48 * 1024 * 1024
/** What is left must take at least this long, or a change comes too late to matter. */
const worthSeconds = 2.5
/** A rate is taken over this long, after the connections that were added had time to get going. */
const measureMs = 500
const settleMs = 400
/** The first time it only has to be seen that this is no fast link. */
const firstMeasureMs = 200

/** Who takes so long to answer is far away, or slow to begin with each request. */
const farMs = 80
/** Less is there before further connections have got going. */
const largeFromFar = 16 * 1024 * 1024

/** A gain of less than this is none; with more than that, more is tried. */
const leastGain = 1.1
const goodGain = 1.3

export class ConnectionCount {
  #count = 1
  #before: { readonly count: number; readonly rate: number } | null = null
  #from: { readonly at: number; readonly bytes: number } | null = null
  #measureAfter = 0
  #isSettled = false

  /** `answerMs`: how long a server took to answer that takes ranges; 0 for any other. */
  constructor(answerMs: number, missing: number) {
    if (answerMs >= farMs && missing >= largeFromFar) this.#settle(mostConnections)
  }

  /** How many there shall be now. */
  after(received: number, missing: number, now: number): number {
    if (this.#isSettled) return this.#count
    if (now < this.#measureAfter) return this.#count
    this.#from ??= { at: now, bytes: received }
    const passedMs = now - this.#from.at
    if (passedMs < (this.#before ? measureMs : firstMeasureMs)) return this.#count
    const rate = (received - this.#from.bytes) * 1000 / passedMs
    this.#from = null
    // Nothing came: that is no reason to ask for more at once.
    if (rate === 0) return this.#count
    const gain = this.#before ? rate / Math.max(this.#before.rate, 1) : Infinity
    if (gain < leastGain) return this.#settle(this.#before?.count ?? 1)
    if (gain < goodGain || this.#count >= mostConnections || rate > fastBytesPerSecond || missing < rate * worthSeconds) return this.#settle(this.#count)
    this.#before = { count: this.#count, rate }
    this.#measureAfter = now + settleMs
    // Not more: what is tried for nothing leaves gaps, and each costs a request later.
    this.#count = Math.min(this.#count * 2, mostConnections)
    return this.#count
  }

  #settle(count: number): number {
    this.#isSettled = true
    this.#count = count
    return count
  }
}
