// One attempt at one file: ask, judge, write, checkpoint, report; it ends in exactly one of done, failed, stopped.
// It never waits to try again. What it does try again at once: a kept connection that turned out to be dead, and,
// once, a file whose remote side no longer fits what is here. The invariants: a byte is written only after its head
// was judged; nothing is reported durable before it was flushed; the last report says where a later attempt may go on.
import { createHash, type Hash } from 'node:crypto'
import { failure } from '../../protocol/failures.ts'
import type { ReportName, Reports, ResumePoint, TransferOrder } from '../link/messages.ts'
import { BodyWriter } from './body-writer.ts'
import { ConnectionCount, mostConnections } from './connection-count.ts'
import type { Connections } from './connections.ts'
import { hashOf, hashRest, isExpected } from './content-hash.ts'
import { asError, localFailure, raise } from './failure-from.ts'
import { askFor, type Ask, type Body, type Outcome } from './fetch-span.ts'
import { openPlace, type Folders } from './folders.ts'
import { refuseByRules } from './owner-rules.ts'
import { Parts, partEnded } from './parts.ts'
import { PartialFile, refuseImpossible } from './partial-file.ts'
import { firstTarget, isFailure, type Target } from './request.ts'
import { mayResume } from './response.ts'
import { remoteOf, resumePointOf, unknownRemote, usableResumePoint, type Remote } from './resume-point.ts'
import { localTotal, nextSpan, spansOf, type Span } from './spans.ts'

const checkpointBytes = 16 * 1024 * 1024
const checkpointMs = 5000
/** A fast transfer does not flush more often: the disk works better on much at once. */
const leastBetweenMs = 1000
const bodyLimitMs = 60_000
/** Below this a full disk is noticed soon enough by writing. */
const worthCheckingRoom = 1024 * 1024
/** Why the attempt ended, when nothing went wrong. */
const stopped = new Error('stopped')

export type Report = <Name extends ReportName>(name: Name, params: Reports[Name]) => void

export interface Surroundings {
  readonly connections: Connections
  readonly folders: Folders
  readonly report: Report
}

export class Download {
  readonly #order: TransferOrder
  readonly #around: Surroundings
  readonly #spans: readonly Span[]
  /** Of the request that is under way. */
  #abort = new AbortController()
  #ending: unknown = null
  #file: PartialFile | null = null
  #writer: BodyWriter | null = null
  #parts: Parts | null = null
  #isMainAtWork = false
  readonly #count = new ConnectionCount()
  #hash: Hash | null = null
  /** So many bytes from the start on the hash has seen. */
  #hashed = 0
  #here = 0
  #remote: Remote
  #isConnected = false
  #isReceiving = true
  #deadline = Infinity
  #limitMs: number | null = null
  #reported = 0
  #checkpointedAt = performance.now()

  constructor(order: TransferOrder, around: Surroundings) {
    this.#order = order
    this.#around = around
    this.#spans = spansOf(order.ranges)
    this.#remote = remoteOf(order)
  }

  /** Resolves when the last report was sent. */
  async run(): Promise<void> {
    const { report } = this.#around
    const { transferId } = this.#order
    try {
      await this.#receive()
      report('transfer.received', { transferId, bytesTotal: this.#here })
      await this.#file?.checkpoint()
      report('transfer.done', { transferId, resumePoint: this.#resumePoint() })
    } catch (error) {
      const trouble = error === stopped ? null : localFailure(error)
      if (trouble?.code === 'internal-error') console.error(error)
      await this.#saveWhatIsThere()
      if (trouble === null) report('transfer.stopped', { transferId, resumePoint: this.#lastResumePoint() })
      else report('transfer.failed', { transferId, failure: trouble, resumePoint: this.#lastResumePoint() })
    } finally {
      this.#writer?.close()
      await this.#file?.close()
    }
  }

  /** Ends the attempt, unless every byte is here already. */
  stop(): void {
    if (this.#isReceiving) this.#end(stopped)
  }

  /** Ends the attempt with the first reason that there is. */
  #end(reason: unknown): void {
    this.#ending ??= reason
    this.#abort.abort(reason)
    void this.#parts?.stop()
  }

  /** Bytes that are here, written or not. */
  #received(): number {
    if (!this.#file) return this.#here
    const received = this.#file.written.bytes + (this.#writer?.unwritten ?? 0) + (this.#parts?.unwritten ?? 0)
    return Math.min(received, localTotal(this.#spans, this.#remote.bytesTotal) ?? received)
  }

  /** Called a few times a second: time limits, progress, checkpoints. */
  tick(now: number): void {
    if (!this.#isReceiving) return
    if (this.#limitMs !== null) {
      this.#deadline = now + this.#limitMs
      this.#limitMs = null
    }
    if (now > this.#deadline) return this.#end(asError(failure('connection-timeout', 'The server did not answer or stopped sending.')))
    const received = this.#received()
    this.#share(now, received)
    if (received !== this.#reported) this.#around.report('transfer.progress', { transferId: this.#order.transferId, bytesTransferred: received })
    this.#reported = received
    this.#checkpointIfDue(now, received)
  }

  async #receive(): Promise<void> {
    const { localName, temporaryName, checksum } = this.#order
    const { folder, name } = openPlace(this.#around.folders, localName)
    try {
      refuseByRules(this.#order, folder)
      refuseImpossible(folder, name)
      this.#file = PartialFile.open(folder, temporaryName, usableResumePoint(this.#order))
    } finally {
      folder.release()
    }
    this.#here = this.#file.durable
    this.#reported = this.#file.durableBytes
    if (checksum) this.#hash = await hashOf(this.#file, this.#here, checksum.algorithm, this.#abort.signal)
    this.#hashed = this.#here
    const target = firstTarget(this.#order)
    if (isFailure(target)) raise(target)

    for (let starts = 0, span = this.#nextSpan(); span !== null; span = this.#nextSpan()) {
      const outcome = await this.#ask(span, target)
      this.#deadline = Infinity
      this.#limitMs = null
      if (outcome.kind === 'start-over') {
        if (++starts > 1) raise(failure('invalid-server-response', 'The answers of the server contradict each other.'))
        this.#startOver()
      } else await this.#endOfBody()
    }
    this.#connected(null)
    await this.#verify()
    this.#isReceiving = false
  }

  async #ask(span: Span, target: Target): Promise<Outcome> {
    try {
      return await askFor(this.#askFor(span, target), this.#around.connections)
    } catch (error) {
      if (error !== partEnded || this.#ending !== null) throw this.#ending ?? error
      this.#abort = new AbortController()
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
    const { validator, bytesTotal } = this.#remote
    return {
      order: this.#order,
      target,
      asked: {
        ranged: this.#order.ranges !== null || span.from > 0,
        rangesOnly: this.#order.ranges !== null,
        known: this.#here > 0 && validator !== null ? { bytesTotal, validator } : null,
        ...span,
      },
      signal: this.#abort.signal,
      onBody: (body, remoteName) => this.#startBody(body, remoteName, span, target),
      onLimit: (ms) => {
        this.#limitMs = ms
      },
      onBytes: () => {
        this.#limitMs = bodyLimitMs
        if (this.#parts && this.#writer && this.#writer.received >= this.#parts.mainTo) this.#abort.abort(partEnded)
      },
    }
  }

  /** The head is good: from here on bytes are written. */
  #startBody(body: Body, remoteName: string | null, span: Span, target: Target): BodyWriter {
    const file = this.#opened()
    if (body.from === 0 && this.#here > 0 && this.#order.ranges === null) this.#empty()
    const first = this.#here === 0
    const { validator, modifiedAt, bytesTotal } = body
    this.#remote = { bytesTotal, validator: first ? validator : this.#remote.validator, modifiedAt: first ? modifiedAt : this.#remote.modifiedAt }
    const total = localTotal(this.#spans, bytesTotal)
    const { maximumBytes } = this.#order
    if (maximumBytes !== null && total !== null && total > maximumBytes) raise(failure('maximum-download-bytes', 'The file is larger than the job allows.'))
    const missing = total === null ? null : total - this.#here
    if (missing !== null && missing >= worthCheckingRoom && !file.hasRoomFor(missing)) raise(failure('disk-full', 'There is not enough space on the disk of the local name.'))
    if (this.#writer?.received !== this.#here) this.#newWriter(file, missing)
    const writer = this.#writer ?? this.#newWriter(file, missing)
    writer.limit = maximumBytes ?? Infinity
    this.#isMainAtWork = true
    this.#mayShare(file, body, span, target)
    this.#connected(remoteName)
    return writer
  }

  #newWriter(file: PartialFile, missing: number | null): BodyWriter {
    this.#writer?.close()
    return this.#writer = new BodyWriter(file, this.#here, missing, this.#here === this.#hashed ? this.#hash : null)
  }

  /** Where it can be proven that parts belong together, further connections may bring some. */
  #mayShare(file: PartialFile, body: Body, span: Span, target: Target): void {
    const { bytesTotal, validator } = this.#remote
    const { order, connections } = { order: this.#order, connections: this.#around.connections }
    if (order.ranges !== null || order.connections === 1 || body.framing !== 'length' || bytesTotal === null || !mayResume(validator, bytesTotal) || !validator) return
    const mainAt = (): number | null => this.#isMainAtWork ? this.#writer?.received ?? null : null
    this.#parts ??= new Parts({ order, target, file, total: bytesTotal, validator, connections, mainAt }, { from: body.from, to: body.from === 0 ? bytesTotal : span.to ?? bytesTotal })
  }

  /** Looks how many connections there shall be. */
  #share(now: number, received: number): void {
    const total = this.#remote.bytesTotal
    if (!this.#parts || total === null) return
    const automatic = (): number => this.#count.after(received, total - received, now)
    this.#parts.wanted = this.#order.connections ?? Math.min(automatic(), this.#parts.within(mostConnections))
    this.#parts.tick(now)
  }

  async #endOfBody(): Promise<void> {
    const writer = this.#writer
    if (!writer) return
    writer.flush()
    if (writer.isHashing) this.#hashed = writer.received
    await this.#parts?.ended()
    this.#parts = null
    if (this.#ending !== null) throw this.#ending
    this.#here = this.#opened().written.prefix
    // The end of a body of unknown length tells the size.
    if (this.#remote.bytesTotal === null && this.#order.ranges === null) this.#remote = { ...this.#remote, bytesTotal: this.#here }
  }

  #connected(remoteName: string | null): void {
    if (this.#isConnected) return
    this.#isConnected = true
    this.#around.report('transfer.connected', { transferId: this.#order.transferId, resumePoint: this.#resumePoint(), remoteName })
  }

  #startOver(): void {
    this.#empty()
    this.#remote = unknownRemote
    if (this.#isConnected) this.#around.report('transfer.checkpoint', { transferId: this.#order.transferId, resumePoint: this.#resumePoint() })
  }

  #empty(): void {
    this.#opened().startOver()
    this.#writer?.close()
    this.#writer = null
    this.#here = this.#reported = this.#hashed = 0
    if (this.#hash && this.#order.checksum) this.#hash = createHash(this.#order.checksum.algorithm)
  }

  async #verify(): Promise<void> {
    const { checksum } = this.#order
    if (!checksum || !this.#hash) return
    if (this.#hashed < this.#here) await hashRest(this.#hash, this.#opened(), this.#hashed, this.#here, this.#abort.signal)
    if (isExpected(this.#hash, checksum)) return
    this.#empty()
    raise(failure('checksum-mismatch', `The ${checksum.algorithm} checksum of the file is not the one the job names.`))
  }

  #checkpointIfDue(now: number, received: number): void {
    const file = this.#file
    if (!file || !this.#writer || file.isFlushing || received === file.durableBytes) return
    const age = now - this.#checkpointedAt
    if (age < leastBetweenMs || (received - file.durableBytes < checkpointBytes && age < checkpointMs)) return
    this.#checkpointedAt = now
    try {
      this.#writer.flush()
      this.#parts?.flush()
    } catch (error) {
      return this.#end(error)
    }
    const report = (): void => {
      if (this.#isReceiving) this.#around.report('transfer.checkpoint', { transferId: this.#order.transferId, resumePoint: this.#resumePoint() })
    }
    file.checkpoint().then(report, (error: unknown) => this.#end(error))
  }

  /** After a stop or a failure: keeps what can be kept. What cannot be flushed is not promised. */
  async #saveWhatIsThere(): Promise<void> {
    this.#isReceiving = false
    await this.#parts?.stop()
    try {
      this.#writer?.flush()
      await this.#file?.checkpoint()
    } catch (error) {
      // The attempt is over anyway; `durable` did not grow, so the next one starts further back. A defect is one still.
      if (localFailure(error).code === 'internal-error') throw error
    }
  }

  #opened(): PartialFile {
    return this.#file ?? raise(failure('internal-error', 'Something went wrong inside the service.'))
  }

  #resumePoint(): ResumePoint {
    return resumePointOf(this.#opened(), this.#spans, this.#remote)
  }

  /** Where nothing was opened, what was known before still holds. */
  #lastResumePoint(): ResumePoint | null {
    return this.#file ? this.#resumePoint() : this.#order.resumePoint
  }
}
