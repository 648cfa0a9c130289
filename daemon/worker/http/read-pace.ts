// How long to leave a socket alone between two reads of a large body. On a slow link every segment would wake the
// process by itself; waiting a few milliseconds gathers many for one read, at a fraction of the processor time. Pure:
// it is told what was read and when. The invariant: waiting never becomes what limits the speed. It begins with reads far
// below the smallest receive window (64 KiB) and aims at more from time to time; where less comes than before, it reads for
// a moment without waiting, and if more comes then, the window was full and it goes back for long. What counts is what came
// in a stretch of time, not with one read: on a busy machine reads are late and uneven. Above some 16 MB/s it never waits.

const firstAimBytes = 32 * 1024
const largestAimBytes = 256 * 1024
const longestMs = 20
const shortestMs = 2
/** So long a stretch is judged as one, without waiting or after a raise, and with it. */
const watchMs = 100
const stretchMs = 200
const raiseEveryMs = 500
/** After a raise that was one too many. */
const raiseAgainMs = 10_000
/** Less than this share of what came before is looked into, after a raise and else, but not all the time. */
const shortAfterRaise = 0.96
const short = 0.85
const lookAgainMs = 1000
/** A full window brings the same with nearly every read; a link that falters does not. */
const same = 0.9
const nearlyEvery = 0.75
/** If so much more comes without waiting, waiting may be at fault; if it is so twice in a row, it is. */
const atFault = 1.04
const proofs = 2

export class ReadPace {
  #intervalMs = 0
  #begunAt: number | null = null
  /** What the reads of this stretch brought. */
  #reads: number[] = []
  #bytes = 0
  #aim = firstAimBytes
  /** Bytes in a millisecond that the link is known to bring. */
  #rate = 0
  /** What came with waiting, while it is looked into whether that was at fault. */
  #doubted: number | null = null
  #proofs = 0
  #raisedAt = -Infinity
  #raiseAt = -Infinity
  #lookAt = -Infinity

  get isWaiting(): boolean {
    return this.#intervalMs > 0
  }

  /** How many milliseconds to wait after this read of `bytes`; 0: read on as bytes come. `isFull`: there was no room for more. */
  after(bytes: number, now: number, isFull: boolean = false): number {
    this.#begunAt ??= now - 1
    this.#bytes += bytes
    if (this.#intervalMs > 0) this.#reads.push(bytes)
    const passedMs = now - this.#begunAt
    const isOver = passedMs >= (this.#intervalMs === 0 || this.#isNewlyRaised(now) ? watchMs : stretchMs)
    const isSuddenlyFast = this.#intervalMs > 0 && this.#bytes > 2 * this.#rate * stretchMs
    if (isOver || isSuddenlyFast) {
      this.#judge(this.#bytes / Math.max(passedMs, 1), now)
      this.#begunAt = now
      this.#bytes = 0
      this.#reads = []
    }
    return isFull ? 0 : this.#intervalMs
  }

  #judge(rate: number, now: number): void {
    if (this.#intervalMs === 0) this.#judgeUnhindered(rate, now)
    else if (this.#isDoubtful(rate, now)) {
      this.#doubted = rate
      this.#lookAt = now + lookAgainMs
      this.#intervalMs = 0
      return
    } else this.#judgeAsGood(rate, now)
    const wantedMs = this.#aim / this.#rate
    this.#intervalMs = wantedMs < shortestMs ? 0 : Math.min(wantedMs, longestMs)
  }

  #judgeUnhindered(rate: number, now: number): void {
    const doubted = this.#doubted
    this.#doubted = null
    if (doubted === null) this.#raiseAt = now + raiseEveryMs
    if (doubted === null || rate <= doubted * atFault) {
      this.#rate = rate
      this.#proofs = 0
      return
    }
    // The next stretch is looked at as closely.
    this.#raisedAt = now
    if (++this.#proofs < proofs) return
    // By two steps: half of it may be the window exactly, where nothing shows that it is full.
    this.#aim = Math.max(firstAimBytes, this.#aim / 4)
    this.#raiseAt = now + raiseAgainMs
    this.#raisedAt = -Infinity
    this.#proofs = 0
  }

  #isDoubtful(rate: number, now: number): boolean {
    const isShort = this.#isNewlyRaised(now) ? rate < shortAfterRaise * this.#rate : rate < short * this.#rate && now >= this.#lookAt
    if (!isShort || this.#aim === firstAimBytes) return false
    const most = Math.max(...this.#reads)
    return this.#reads.filter((bytes) => bytes > same * most).length > nearlyEvery * this.#reads.length
  }

  #isNewlyRaised(now: number): boolean {
    return now - this.#raisedAt < raiseEveryMs
  }

  #judgeAsGood(rate: number, now: number): void {
    this.#rate += (rate - this.#rate) / 4
    this.#proofs = 0
    if (now < this.#raiseAt || this.#intervalMs >= longestMs || this.#aim >= largestAimBytes) return
    this.#aim *= 2
    this.#raisedAt = now
    this.#raiseAt = now + raiseEveryMs
  }
}
