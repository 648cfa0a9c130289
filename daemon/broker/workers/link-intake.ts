// What a worker sends, read in small slices and not faster than a rate: its owner may have made it a program that floods. While its
// allowance is used up the link is not read, and the worker's own writes wait. Others' calls come in between the slices.
import type { Socket } from 'node:net'

/** About a hundred reports: one to two milliseconds of work. */
const sliceBytes = 8 * 1024
/** Several thousand small files a second report less than this. */
const bytesPerSecond = 4 * 1024 * 1024
const burstBytes = 8 * 1024 * 1024

export class LinkIntake {
  readonly #link: Socket
  readonly #deliver: (slice: Uint8Array) => void
  #allowance = burstBytes
  #countedAt = performance.now()
  #waiting: NodeJS.Timeout | null = null
  #closed = false

  constructor(link: Socket, deliver: (slice: Uint8Array) => void) {
    this.#link = link
    this.#deliver = deliver
    link.on('data', (bytes: Buffer) => this.#take(bytes))
  }

  /** Delivers nothing more. */
  close(): void {
    this.#closed = true
    if (this.#waiting) clearTimeout(this.#waiting)
  }

  #take(bytes: Buffer): void {
    if (bytes.length <= sliceBytes && this.#mayTake()) return this.#hand(bytes)
    this.#link.pause()
    this.#serve(bytes)
  }

  #serve(bytes: Buffer): void {
    if (this.#closed) return
    if (!this.#mayTake()) {
      const ms = Math.max(10, (sliceBytes - this.#allowance) * 1000 / bytesPerSecond)
      this.#waiting = setTimeout(() => this.#serve(bytes), ms)
      return
    }
    this.#hand(bytes.subarray(0, sliceBytes))
    const rest = bytes.subarray(sliceBytes)
    if (rest.length > 0) setImmediate(() => this.#serve(rest))
    else this.#link.resume()
  }

  #hand(slice: Buffer): void {
    this.#allowance -= slice.length
    if (!this.#closed) this.#deliver(slice)
  }

  #mayTake(): boolean {
    const now = performance.now()
    this.#allowance = Math.min(burstBytes, this.#allowance + (now - this.#countedAt) * bytesPerSecond / 1000)
    this.#countedAt = now
    return this.#allowance > 0
  }
}
