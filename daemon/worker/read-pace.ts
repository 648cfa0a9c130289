// How long to leave a socket alone between two reads of a large body. On a slow link every segment would wake the
// process by itself; waiting a few milliseconds gathers many for one read, at a fraction of the processor time. Pure:
// it is told what was read and when. The invariant: waiting never becomes what limits the speed. It begins with reads far
// below the smallest receive window (64 KiB) and aims at more from time to time; where less gathers than the link brought
// before, the window is full and it goes back for long. When more gathers it waits less, and above some 16 MB/s not at all.

const firstAimBytes = 32 * 1024
const largestAimBytes = 256 * 1024
const longestMs = 20
const shortestMs = 2
/** How long reads are watched without waiting before the first wait. */
const watchMs = 100
const raiseEveryMs = 500
/** After a raise that was one too many. */
const raiseAgainMs = 15_000
/** So many reads in a row with less than this share of what was to be expected are no accident. */
const shortReads = 4
const shortShare = 0.85

export class ReadPace {
  #intervalMs = 0
  #watchedSince: number | null = null
  #watched = 0
  #aim = firstAimBytes
  #raiseAt = 0
  /** Bytes in a millisecond, before the last raise. */
  #rateBefore = 0
  #rate = 0
  #short = 0
  #lastAt = 0

  /** How many milliseconds to wait after this read of `bytes`; 0: read on as bytes come. */
  after(bytes: number, now: number): number {
    if (this.#intervalMs === 0) return this.#watch(bytes, now)
    if (this.#adapt(bytes, now)) return this.#wait(this.#intervalMs, now)
    // At most halved or grown by a quarter at once: one odd read says little.
    const wanted = this.#intervalMs * Math.min(Math.max(this.#aim / Math.max(bytes, 1), 0.5), 1.25)
    return this.#wait(wanted, now)
  }

  #watch(bytes: number, now: number): number {
    this.#watchedSince ??= now
    this.#watched += bytes
    const passedMs = now - this.#watchedSince
    if (passedMs < watchMs) return 0
    this.#aim = firstAimBytes
    this.#rate = this.#watched / passedMs
    this.#raiseAt = now + raiseEveryMs
    return this.#wait(this.#aim * passedMs / this.#watched, now)
  }

  /** Gives whether it went back. */
  #adapt(bytes: number, now: number): boolean {
    const rate = bytes / Math.max(now - this.#lastAt, 0.1)
    this.#rate += (rate - this.#rate) / 16
    this.#short = rate < this.#rateBefore * shortShare ? this.#short + 1 : 0
    if (this.#short >= shortReads && this.#aim > firstAimBytes) {
      // By two steps: half of it may be the window exactly, where nothing shows that it is full.
      this.#aim = Math.max(firstAimBytes, this.#aim / 4)
      this.#intervalMs = this.#aim / this.#rateBefore
      this.#raiseAt = now + raiseAgainMs
      this.#short = 0
      this.#rate = this.#rateBefore
      this.#rateBefore = 0
      return true
    }
    if (now >= this.#raiseAt && this.#intervalMs < longestMs && this.#aim < largestAimBytes) {
      this.#rateBefore = this.#rate
      this.#aim *= 2
      this.#raiseAt = now + raiseEveryMs
    }
    return false
  }

  #wait(wantedMs: number, now: number): number {
    this.#watchedSince = null
    this.#watched = 0
    this.#lastAt = now
    this.#intervalMs = wantedMs < shortestMs ? 0 : Math.min(wantedMs, longestMs)
    return this.#intervalMs
  }
}
