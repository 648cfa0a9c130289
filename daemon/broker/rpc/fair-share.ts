// Shares the broker's time among users: what a user's connections sent is handed on in small slices, one slice of each
// user in turn, so that one who sends a storm delays himself and not the others. A connection is read again only when
// what it sent before has been handed on.

interface Portion {
  bytes: Uint8Array
  readonly deliver: (slice: Uint8Array) => void
  readonly done: () => void
}

interface Share {
  readonly portions: Portion[]
  callsUnderWay: number
}

/** About a hundred small calls: one to two milliseconds of work. */
const sliceBytes = 8 * 1024
/** With more calls under way than this a user's further calls wait in his own sockets. */
const callsAtOnce = 512

export class FairShare {
  readonly #shares = new Map<string, Share>()
  #turning = false

  /** Hands the bytes on in slices; `done` is called when all of them were. */
  submit(userId: string, bytes: Uint8Array, deliver: (slice: Uint8Array) => void, done: () => void): void {
    const share = this.#shares.get(userId) ?? { portions: [], callsUnderWay: 0 }
    this.#shares.set(userId, share)
    share.portions.push({ bytes, deliver, done })
    // With nobody else waiting the first slice goes at once.
    if (!this.#turning && share.portions.length === 1) this.#serve(userId, share)
    this.#turn()
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
    if (this.#turning || !this.#mayServe()) return
    this.#turning = true
    setImmediate(() => {
      this.#turning = false
      for (const [userId, share] of this.#shares) this.#serve(userId, share)
      this.#turn()
    })
  }

  #mayServe(): boolean {
    for (const share of this.#shares.values()) if (share.portions.length > 0 && share.callsUnderWay < callsAtOnce) return true
    return false
  }

  #serve(userId: string, share: Share): void {
    const portion = share.portions[0]
    if (!portion || share.callsUnderWay >= callsAtOnce) return
    const slice = portion.bytes.subarray(0, sliceBytes)
    portion.bytes = portion.bytes.subarray(sliceBytes)
    if (portion.bytes.length === 0) share.portions.shift()
    // Connections of one user take turns too.
    else if (share.portions.length > 1) share.portions.push(...share.portions.splice(0, 1))
    portion.deliver(slice)
    if (portion.bytes.length === 0) portion.done()
    if (share.portions.length === 0 && share.callsUnderWay === 0) this.#shares.delete(userId)
  }
}
