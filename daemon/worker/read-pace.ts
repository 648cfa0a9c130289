// How long to leave a socket alone between two reads of a large body. On a slow link every segment would wake the
// process by itself; waiting a few milliseconds gathers many for one read, at a fraction of the processor time. Pure:
// it is told what was read and when. The invariant: it aims at reads far below the smallest receive window (64 KiB),
// so that waiting never becomes what limits the speed; when more has gathered than it aimed at, it waits less, and
// above some 16 MB/s not at all.

const aimBytes = 32 * 1024
const longestMs = 20
const shortestMs = 2
/** How long reads are watched without waiting before the first wait. */
const watchMs = 100

export class ReadPace {
  #intervalMs = 0
  #watchedSince: number | null = null
  #watched = 0

  /** How many milliseconds to wait after this read of `bytes`; 0: read on as bytes come. */
  after(bytes: number, now: number): number {
    if (this.#intervalMs === 0) return this.#watch(bytes, now)
    // At most halved or grown by a quarter at once: one odd read says little.
    const wanted = this.#intervalMs * Math.min(Math.max(aimBytes / Math.max(bytes, 1), 0.5), 1.25)
    return this.#wait(wanted)
  }

  #watch(bytes: number, now: number): number {
    this.#watchedSince ??= now
    this.#watched += bytes
    const passedMs = now - this.#watchedSince
    if (passedMs < watchMs) return 0
    const wanted = aimBytes * passedMs / this.#watched
    return this.#wait(wanted)
  }

  #wait(wantedMs: number): number {
    this.#watchedSince = null
    this.#watched = 0
    this.#intervalMs = wantedMs < shortestMs ? 0 : Math.min(wantedMs, longestMs)
    return this.#intervalMs
  }
}
