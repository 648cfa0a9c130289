// Further connections for one file, beside the main one: each brings a stretch from the middle of what is missing, and one
// that is through takes half of what the slowest has left. How many there shall be is `connection-count.ts`'s to say. The
// invariants: a part is only asked for with proof that it is of the same version, and only its exact place is written;
// whatever goes wrong with a part ends that part and nothing else: its gap is fetched later by the main connection.
import type { TransferOrder, Validator } from '../link/messages.ts'
import { BodyWriter } from './body-writer.ts'
import { Cancellation } from './cancellation.ts'
import type { Connections } from './http/connections.ts'
import { askFor, type Ask } from './fetch-span.ts'
import type { PartialFile } from './files/partial-file.ts'
import type { Target } from './http/request.ts'
import { mayResume } from './http/response.ts'
import { bodyLimitMs } from './time-limit.ts'

/** Less than twice this is not worth sharing. */
const leastPart = 512 * 1024
/** What takes several connections is slow: small writes do. */
const partBufferBytes = 256 * 1024
const mostBroken = 2
/** Why a request ends that has brought all it should. */
export const partEnded = new Error('the part is complete')
/** Why a part ends that is not wanted any more, or is not what was asked for. */
const partDropped = new Error('the part was dropped')

interface Part {
  readonly from: number
  /** What was asked for; exclusive. Where others have taken over is told by `#limit`. */
  readonly to: number
  writer: BodyWriter | null
  readonly cancellation: Cancellation
  ended: Promise<void>
  /** It ended before its end, and not because we wanted it to. */
  isBroken: boolean
  deadline: number
  limitMs: number | null
}

export interface PartsOptions {
  readonly order: TransferOrder
  readonly target: Target
  readonly file: PartialFile
  readonly total: number
  readonly validator: Validator
  readonly connections: Connections
  /** The server promises it; else one part is tried first. */
  readonly takesRanges: boolean
  /** How far the main connection is; `null` when it has ended. */
  readonly mainAt: () => number | null
}

export class Parts {
  readonly #options: PartsOptions
  readonly #parts = new Set<Part>()
  /** Whoever comes to the beginning of one of these has done his share: at work or complete, but not broken. */
  readonly #claims = new Set<Part>()
  readonly #mainSpan: { readonly from: number; readonly to: number }
  /** A part that was asked for came as it should, or will. */
  #isProven: boolean
  #isRefused = false
  #broken = 0
  #wanted = 1

  constructor(options: PartsOptions, mainSpan: { readonly from: number; readonly to: number }) {
    this.#options = options
    this.#isProven = options.takesRanges
    this.#mainSpan = mainSpan
  }

  /** Where the main connection may stop; exclusive. */
  get mainTo(): number {
    return this.#limit(this.#mainSpan)
  }

  /** Connections that are at work, the main one included. */
  get atWork(): number {
    return this.#parts.size + (this.#options.mainAt() === null ? 0 : 1)
  }

  /** Is any part at work? */
  get isAny(): boolean {
    return this.#parts.size > 0
  }

  /** How many there can be without asking more of the server than `most` at once. */
  within(most: number): number {
    const { connections, target } = this.#options
    return this.atWork + Math.max(0, most - connections.atWork(target.url.origin))
  }

  /** Bytes that arrived and are not written yet. */
  get unwritten(): number {
    let sum = 0
    for (const { writer } of this.#parts) sum += writer?.unwritten ?? 0
    return sum
  }

  set wanted(count: number) {
    this.#wanted = count
    const surplus = [...this.#parts].slice(Math.max(0, count - (this.#options.mainAt() === null ? 0 : 1)))
    for (const { cancellation } of surplus) cancellation.cancel(partDropped)
    this.#fill()
  }

  tick(now: number): void {
    for (const part of this.#parts) {
      if (part.limitMs !== null) part.deadline = now + part.limitMs
      part.limitMs = null
      if (now > part.deadline) part.cancellation.cancel(partDropped)
    }
    this.#fill()
  }

  flush(): void {
    for (const { writer } of this.#parts) writer?.flush()
  }

  /** Resolves when no part is at work any more. */
  async ended(): Promise<void> {
    while (this.#parts.size > 0) await Promise.all([...this.#parts].map((part) => part.ended))
  }

  /** Ends all of them; what they brought is written. */
  async stop(): Promise<void> {
    this.#isRefused = true
    for (const { cancellation } of this.#parts) cancellation.cancel(partDropped)
    await this.ended()
  }

  #fill(): void {
    const most = this.#isProven ? this.#wanted : Math.min(this.#wanted, 2)
    while (!this.#isRefused && this.atWork < most && this.#startOne()) continue
  }

  #startOne(): boolean {
    const donor = this.#largest()
    if (!donor || donor.to - donor.at < 2 * leastPart) return false
    const from = donor.at + Math.ceil((donor.to - donor.at) / 2)
    const part: Part = { from, to: donor.to, writer: null, cancellation: new Cancellation(), ended: Promise.resolve(), isBroken: false, deadline: Infinity, limitMs: null }
    // Before the first part has come, nobody stops for the sake of one that may never come.
    if (this.#isProven) this.#claims.add(part)
    this.#parts.add(part)
    this.#options.file.expectGaps()
    part.ended = this.#run(part).finally(() => {
      // Whoever would stop for it goes on, through what it brought if need be: a request less is worth more than a little twice.
      const brought = (part.writer?.received ?? part.from) - part.from
      if (part.isBroken || brought < leastPart) this.#claims.delete(part)
      part.writer?.close()
      this.#parts.delete(part)
      this.#fill()
    })
    return true
  }

  /** Who has the most left, and until when he goes on. */
  #largest(): { readonly at: number; readonly to: number } | null {
    const mainAt = this.#options.mainAt()
    const main = mainAt === null ? [] : [{ at: mainAt, to: this.mainTo }]
    const others = [...this.#parts].map((part) => ({ at: part.writer?.received ?? part.from, to: this.#limit(part) }))
    return [...main, ...others].sort((a, b) => (b.to - b.at) - (a.to - a.at))[0] ?? null
  }

  #limit({ from, to }: { readonly from: number; readonly to: number }): number {
    let limit = to
    for (const claim of this.#claims) if (claim.from > from && claim.from < limit) limit = claim.from
    return limit
  }

  /** Never rejects: what a part could not bring is a gap. */
  async #run(part: Part): Promise<void> {
    try {
      await askFor(this.#askFor(part), this.#options.connections)
    } catch (error) {
      // Only what it brought counts; what is really wrong is met by the main connection too, which reports it.
      part.isBroken = error !== partEnded && error !== partDropped
    }
    part.isBroken ||= part.writer === null
    // A server that breaks off parts, or gives none, is asked for no more of them.
    if (part.isBroken && (part.writer === null || ++this.#broken >= mostBroken)) this.#isRefused = true
    try {
      part.writer?.flush()
    } catch (error) {
      // The disk: the main connection meets it too, and says so.
      this.#isRefused = error !== null
    }
  }

  #askFor(part: Part): Ask {
    const { order, target, total, validator, file } = this.#options
    return {
      order, target,
      asked: { ranged: true, rangesOnly: false, from: part.from, to: part.to, known: { bytesTotal: total, validator } },
      cancellation: part.cancellation,
      onBody: (body) => {
        // The whole file, because it has changed or since the server knows no ranges.
        if (body.from !== part.from || body.length === null) throw partDropped
        this.#claims.add(part)
        if (!this.#isProven) setImmediate(() => this.#fill())
        this.#isProven = true
        part.writer = new BodyWriter(file, part.from, Math.min(body.length, partBufferBytes), null)
        return part.writer
      },
      // The main connection meets it too.
      onDoubt: () => {},
      onLimit: (ms) => { part.limitMs = ms },
      onBytes: () => {
        part.limitMs = bodyLimitMs
        if (part.writer && part.writer.received >= this.#limit(part)) part.cancellation.cancel(partEnded)
      },
    }
  }
}

/** Is it worth sharing, and can it be proven that parts of it belong together? */
export function mayHaveParts({ ranges, connections }: TransferOrder, total: number, validator: Validator): boolean {
  return total >= 2 * leastPart && ranges === null && connections !== 1 && mayResume(validator, total)
}
