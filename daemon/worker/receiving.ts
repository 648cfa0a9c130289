// The bytes of one attempt: opens the partial file, asks for what is missing until nothing is, judges what comes, shares the
// work among connections, checks the checksum. It reports nothing and decides nothing about checkpoints; `download.ts` does.
// The invariants: a byte is written only after its head was judged; what no longer fits is emptied before anything new comes.
import { failure } from '../../protocol/failures.ts'
import type { ResumePoint, TransferOrder } from '../link/messages.ts'
import { BodyWriter } from './body-writer.ts'
import { Cancellation } from './cancellation.ts'
import type { Connections } from './http/connections.ts'
import { ContentHash } from './hash/content-hash.ts'
import { asError, raise } from './failure-from.ts'
import { askFor, type Answered, type Ask, type Body, type Outcome } from './fetch-span.ts'
import type { Folders } from './files/folders.ts'
import type { Hashing } from './hash/hashing.ts'
import { openPartial } from './open-partial.ts'
import { partEnded } from './parts.ts'
import type { PartialFile } from './files/partial-file.ts'
import { firstTarget, isFailure, type Target } from './http/request.ts'
import { remoteOf, resumePointOf, unknownRemote, type Remote } from './resume-point.ts'
import { Sharing } from './sharing.ts'
import { missingOf } from './size-limits.ts'
import { localTotal, nextSpan, spansOf, type Span } from './spans.ts'
import { bodyLimitMs, TimeLimit } from './time-limit.ts'

export interface ReceivingSurroundings {
  readonly connections: Connections
  readonly folders: Folders
  readonly hashing: Hashing
  /** A head was good, or every byte was here already. `remoteName`: where redirects led, if the job wants to know. */
  readonly onConnected: (remoteName: string | null) => void
  /** What was here counts for nothing any more. */
  readonly onStartOver: () => void
  /** Some bytes came; so many are here, over the first connection. */
  readonly onBytes: (received: number) => void
}

export class Receiving {
  readonly #order: TransferOrder
  readonly #around: ReceivingSurroundings
  readonly #spans: readonly Span[]
  /** Of the request that is under way. */
  #cancellation = new Cancellation()
  #ending: unknown = null
  #file: PartialFile | null = null
  #writer: BodyWriter | null = null
  readonly #sharing: Sharing
  #isMainAtWork = false
  readonly #hash: ContentHash | null
  #here = 0
  #remote: Remote
  readonly #limit = new TimeLimit()

  constructor(order: TransferOrder, around: ReceivingSurroundings) {
    this.#order = order
    this.#around = around
    this.#spans = spansOf(order.ranges)
    this.#remote = remoteOf(order)
    this.#sharing = new Sharing(order, around.connections)
    this.#hash = order.checksum ? new ContentHash(order.checksum, around.hashing) : null
  }

  get file(): PartialFile | null {
    return this.#file
  }

  /** Bytes that are here and not in the file yet. */
  get unwritten(): number {
    return (this.#writer?.unwritten ?? 0) + this.#sharing.unwritten
  }

  /** Bytes that are here, written or not. */
  get received(): number {
    const received = this.#file ? this.#file.written.bytes + this.unwritten : this.#here
    return Math.min(received, localTotal(this.#spans, this.#remote.bytesTotal) ?? received)
  }

  /** Ends it with the first reason that there is. */
  end(reason: unknown): void {
    this.#ending ??= reason
    this.#cancellation.cancel(reason)
    void this.#sharing.stop()
  }

  /** Time limits, and how many connections there shall be. */
  tick(now: number): void {
    if (this.#limit.isOver(now)) return this.end(asError(failure('connection-timeout', 'The server did not answer or stopped sending.')))
    this.#sharing.tick(now, this.received)
  }

  /** Hands what has arrived to the file. */
  flush(): void {
    this.#writer?.flush()
    this.#sharing.flush()
  }

  /** No further connection brings anything after this. */
  async stopParts(): Promise<void> {
    await this.#sharing.stop()
  }

  async close(): Promise<void> {
    this.#writer?.close()
    this.#hash?.startOver()
    await this.#file?.close()
  }

  /** Until every byte is here and fits its checksum. Throws what went wrong, or the reason of `end`. */
  async run(): Promise<void> {
    this.#file = openPartial(this.#order, this.#around.folders)
    this.#here = this.#file.written.prefix
    await this.#hash?.readBack(this.#file, this.#here, this.#remote.bytesTotal ?? this.#here, this.#cancellation)
    const target = firstTarget(this.#order)
    if (isFailure(target)) raise(target)

    for (let starts = 0, span = this.#nextSpan(); span !== null; span = this.#nextSpan()) {
      const outcome = await this.#ask(span, target)
      this.#limit.set(null)
      if (outcome.kind === 'start-over') {
        if (++starts > 1) raise(failure('invalid-server-response', 'The answers of the server contradict each other.'))
        this.#empty()
        this.#remote = unknownRemote
        this.#around.onStartOver()
      } else await this.#endOfBody()
    }
    this.#around.onConnected(null)
    await this.#verify()
  }

  async #ask(span: Span, target: Target): Promise<Outcome> {
    try {
      return await askFor(this.#askFor(span, target), this.#around.connections)
    } catch (error) {
      if (this.#ending !== null) throw this.#ending
      if (error !== partEnded && !(await this.#sharing.isBetterAlone(error))) throw error
      if (this.#ending !== null) throw this.#ending
      this.#cancellation = new Cancellation()
      return { kind: 'received' }
    } finally {
      this.#isMainAtWork = false
    }
  }

  #nextSpan(): Span | null {
    const gap = this.#opened().written.firstGap()
    // Only several connections leave gaps, and they are for whole files.
    if (gap.to !== null) return gap
    return nextSpan(this.#spans, this.#here, this.#remote.bytesTotal)
  }

  #askFor(span: Span, target: Ask['target']): Ask {
    const { validator, bytesTotal, doubted } = this.#remote
    return {
      order: this.#order,
      target,
      asked: {
        ranged: this.#order.ranges !== null || span.from > 0,
        rangesOnly: this.#order.ranges !== null,
        known: this.#here > 0 && validator !== null ? { bytesTotal, validator } : null,
        doubted: doubted === true,
        ...span,
      },
      cancellation: this.#cancellation,
      onBody: (body, answered) => this.#startBody(body, answered, span, target),
      onDoubt: () => { this.#remote = { ...this.#remote, doubted: true } },
      onLimit: (ms) => this.#limit.set(ms),
      onBytes: () => this.#bytesCame(this.#writer?.received ?? 0),
    }
  }

  #bytesCame(received: number): void {
    this.#limit.set(bodyLimitMs)
    this.#around.onBytes(received)
    if (this.#writer && received >= this.#sharing.mainTo) this.#cancellation.cancel(partEnded)
  }

  /** The head is good: from here on bytes are written. */
  #startBody(body: Body, answered: Answered, span: Span, target: Target): BodyWriter {
    const file = this.#opened()
    if (body.from === 0 && file.written.bytes > 0 && this.#order.ranges === null) this.#empty()
    const first = this.#here === 0
    const { validator, modifiedAt, bytesTotal } = body
    this.#remote = { bytesTotal, validator: first ? validator : this.#remote.validator, modifiedAt: first ? modifiedAt : this.#remote.modifiedAt }
    const { maximumBytes } = this.#order
    const missing = missingOf(file, localTotal(this.#spans, bytesTotal), this.#here, maximumBytes)
    if (this.#writer?.received !== this.#here) this.#newWriter(file, missing)
    const writer = this.#writer ?? this.#newWriter(file, missing)
    writer.limit = maximumBytes ?? Infinity
    this.#isMainAtWork = true
    this.#mayShare(file, body, answered, span, target)
    this.#around.onConnected(answered.remoteName)
    return writer
  }

  #newWriter(file: PartialFile, missing: number | null): BodyWriter {
    this.#writer?.close()
    return this.#writer = new BodyWriter(file, this.#here, missing, this.#hash?.from(this.#here, missing) ?? null)
  }

  #mayShare(file: PartialFile, body: Body, answered: Answered, span: Span, target: Target): void {
    const { bytesTotal: total, validator } = this.#remote
    if (validator === null || total === null || body.framing !== 'length') return
    const mainAt = (): number | null => this.#isMainAtWork ? this.#writer?.received ?? null : null
    const mainSpan = { from: body.from, to: body.from === 0 ? total : span.to ?? total }
    this.#sharing.begin({ target, file, total, validator, mainAt, span: mainSpan, here: this.#here }, answered)
  }

  async #endOfBody(): Promise<void> {
    const writer = this.#writer
    if (!writer) return
    writer.flush()
    await writer.settled()
    if (writer.isHashing) this.#hash?.shownTo(writer.received)
    await this.#sharing.ended()
    if (this.#ending !== null) throw this.#ending
    this.#here = this.#opened().written.prefix
    // The end of a body of unknown length tells the size.
    if (this.#remote.bytesTotal === null && this.#order.ranges === null) this.#remote = { ...this.#remote, bytesTotal: this.#here }
  }

  #empty(): void {
    this.#opened().startOver()
    this.#writer?.close()
    this.#writer = null
    this.#here = 0
    this.#hash?.startOver()
  }

  async #verify(): Promise<void> {
    if (!this.#hash) return
    await this.#hash.readBack(this.#opened(), this.#here, this.#here, this.#cancellation)
    if (await this.#hash.fits()) return
    this.#empty()
    raise(failure('checksum-mismatch', `The ${this.#order.checksum?.algorithm} checksum of the file is not the one the job names.`))
  }

  #opened(): PartialFile {
    return this.#file ?? raise(failure('internal-error', 'Something went wrong inside the service.'))
  }

  /** Throws where no file could be opened. */
  resumePoint(): ResumePoint {
    return { ...resumePointOf(this.#opened(), this.#spans, this.#remote), ...(this.#sharing.isAlone ? { oneConnection: true } : {}) }
  }
}
