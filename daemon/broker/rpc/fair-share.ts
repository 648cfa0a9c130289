// Shares the broker's time among users: what a user's connections sent is handed on in small slices, one slice of one user at a time
// and of each in turn, so that one who sends a storm delays himself and not the others. How large a slice may be follows from how long
// the user's last ones took, since a few bytes can ask for much. A connection is read again only when what it sent before was handed on.

interface Portion {
  bytes: Uint8Array
  readonly deliver: (slice: Uint8Array) => void
  readonly done: () => void
}

interface Share {
  readonly portions: Portion[]
  callsUnderWay: number
}

/** What one slice should cost; others wait about this long. */
const wantedMs = 3
const smallestSlice = 64
const firstSlice = 1024
const largestSlice = 8 * 1024
/** With more calls under way than this a user's further calls wait in his own sockets. */
const callsAtOnce = 512
const rememberedUsers = 1000

export class FairShare {
  /** In the order in which they take turns. */
  readonly #shares = new Map<string, Share>()
  readonly #sliceBytes = new Map<string, number>()
  #turning = false

  /** Hands the bytes on in slices; `done` is called when all of them were. */
  submit(userId: string, bytes: Uint8Array, deliver: (slice: Uint8Array) => void, done: () => void): void {
    const share = this.#shares.get(userId) ?? { portions: [], callsUnderWay: 0 }
    this.#shares.set(userId, share)
    share.portions.push({ bytes, deliver, done })
    if (this.#turning || !mayServe(share)) return
    // With nobody waiting the first slice goes at once; the next one of anybody after it was measured.
    this.#turning = true
    const startedAt = performance.now()
    const served = this.#serve(userId, share)
    setImmediate(() => this.#served(userId, served, startedAt))
  }

  callStarted(userId: string): void {
    const share = this.#shares.get(userId)
    if (share) share.callsUnderWay++
  }

  callEnded(userId: string): void {
    const share = this.#shares.get(userId)
    if (!share) return
    share.callsUnderWay--
    if (share.portions.length > 0) this.#turn()
    else if (share.callsUnderWay === 0) this.#shares.delete(userId)
  }

  #turn(): void {
    if (this.#turning) return
    const next = [...this.#shares].find(([, share]) => mayServe(share))
    if (!next) return
    this.#turning = true
    const [userId, share] = next
    let startedAt = 0
    let served = 0
    setImmediate(() => {
      startedAt = performance.now()
      served = this.#serve(userId, share)
    })
    // Runs right after it, without I/O between them: what lies between is the slice and the promises that it settled.
    setImmediate(() => this.#served(userId, served, startedAt))
  }

  #served(userId: string, bytes: number, startedAt: number): void {
    const tookMs = performance.now() - startedAt
    const before = this.#sliceBytes.get(userId) ?? firstSlice
    const fitting = (bytes * wantedMs) / Math.max(tookMs, 0.001)
    // Grows gently, shrinks at once; a slice that was short for want of bytes says nothing about longer ones.
    const next = tookMs > wantedMs ? fitting : bytes < before / 2 ? before : Math.min(fitting, before * 2)
    if (this.#sliceBytes.size >= rememberedUsers) this.#sliceBytes.clear()
    this.#sliceBytes.set(userId, Math.round(Math.min(largestSlice, Math.max(smallestSlice, next))))
    this.#turning = false
    this.#turn()
  }

  /** Hands on one slice and puts the user behind the others; the number of bytes it held. */
  #serve(userId: string, share: Share): number {
    const portion = share.portions[0]
    if (!portion) return 0
    this.#shares.delete(userId)
    this.#shares.set(userId, share)
    const slice = portion.bytes.subarray(0, this.#sliceBytes.get(userId) ?? firstSlice)
    portion.bytes = portion.bytes.subarray(slice.length)
    if (portion.bytes.length === 0) share.portions.shift()
    // Connections of one user take turns too.
    else if (share.portions.length > 1) share.portions.push(...share.portions.splice(0, 1))
    portion.deliver(slice)
    if (portion.bytes.length === 0) portion.done()
    if (share.portions.length === 0 && share.callsUnderWay === 0) this.#shares.delete(userId)
    return slice.length
  }
}

function mayServe({ portions, callsUnderWay }: Share): boolean {
  return portions.length > 0 && callsUnderWay < callsAtOnce
}
