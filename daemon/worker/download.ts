// One attempt at one file: receive (`receiving.ts`), checkpoint, report; it ends in exactly one of done, failed, stopped.
// It never waits to try again. What it does try again at once: a kept connection that turned out to be dead, and,
// once, a file whose remote side no longer fits what is here. The invariants: a byte is written only after its head
// was judged; nothing is reported durable before it was flushed; the last report says where a later attempt may go on.
import type { ReportName, Reports, ResumePoint, TransferOrder } from '../link/messages.ts'
import type { Connections } from './http/connections.ts'
import { localFailure } from './failure-from.ts'
import type { Folders } from './files/folders.ts'
import type { Hashing } from './hash/hashing.ts'
import { Receiving } from './receiving.ts'
import { finalPointOf } from './resume-point.ts'

/** Flushing goes on beside receiving, one flush after another: the disk then never has much to catch up with at the end. */
const checkpointBytes = 16 * 1024 * 1024
const checkpointMs = 5000
/** Of bytes that do not come one after the other a daemon that was killed knows only what was flushed and recorded. */
const checkpointWithGapsMs = 1000
/** A buffer that fills more slowly is not worth waiting for: what lies in it when the process dies is fetched again. */
const gatherMs = 50
const worthWriting = 256 * 1024
/** More often, a fast file would spend itself on reports. */
const leastCheckpointMs = 50
/** What is not larger is said to be connected only if it takes until the next tick: mostly it is all there before. */
const smallBytes = 1024 * 1024
/** TLS brings bytes in small records: not every one is worth a look. */
const lookBytes = 4 * 1024 * 1024
/** Why the attempt ended, when nothing went wrong. */
const stopped = new Error('stopped')

export type Report = <Name extends ReportName>(name: Name, params: Reports[Name]) => void

export interface Surroundings {
  readonly connections: Connections
  readonly folders: Folders
  readonly hashing: Hashing
  readonly report: Report
}

export class Download {
  readonly #order: TransferOrder
  readonly #around: Surroundings
  readonly #receiving: Receiving
  #isConnected = false
  #isSaidConnected = false
  #isReceiving = true
  #reported: number | null = null
  #checkpointedAt = performance.now()
  #lookedAt = 0
  #gathered = 0
  #gatheringSince = 0
  #vouchedFor = 0

  constructor(order: TransferOrder, around: Surroundings) {
    this.#order = order
    this.#around = around
    const { connections, folders, hashing } = around
    this.#receiving = new Receiving(order, {
      connections, folders, hashing, onConnected: (remoteName) => this.#connected(remoteName), onStartOver: () => this.#startedOver(),
      onBytes: (received) => this.#look(received),
    })
  }

  /** Resolves when the last report was sent. */
  async run(): Promise<void> {
    const { report } = this.#around
    const { transferId } = this.#order
    try {
      await this.#receiving.run()
      this.#isReceiving = false
      report('transfer.received', { transferId, bytesTotal: this.#receiving.received })
      await this.#receiving.file?.checkpoint()
      report('transfer.done', { transferId, resumePoint: finalPointOf(this.#receiving.resumePoint()) })
    } catch (error) {
      const trouble = error === stopped ? null : localFailure(error)
      if (trouble?.code === 'internal-error') console.error(error)
      await this.#saveWhatIsThere()
      if (trouble === null) report('transfer.stopped', { transferId, resumePoint: this.#lastResumePoint() })
      else report('transfer.failed', { transferId, failure: trouble, resumePoint: this.#lastResumePoint() })
    } finally {
      await this.#receiving.close()
    }
  }

  /** Ends the attempt, unless every byte is here already. */
  stop(): void {
    if (this.#isReceiving) this.#receiving.end(stopped)
  }

  /** Called a few times a second: time limits, progress, checkpoints. */
  tick(now: number): void {
    if (!this.#isReceiving) return
    this.#receiving.tick(now)
    const { received, file } = this.#receiving
    if (this.#isConnected) this.#sayConnected(null)
    this.#vouch()
    this.#reported ??= file?.durableBytes ?? null
    if (this.#isConnected && received !== this.#reported) this.#around.report('transfer.progress', { transferId: this.#order.transferId, bytesTransferred: received })
    this.#reported = received
    this.#checkpointIfDue(now, received)
  }

  #connected(remoteName: string | null): void {
    if (this.#isConnected) return
    this.#isConnected = true
    const { bytesTotal } = this.#receiving.resumePoint()
    if (remoteName !== null || bytesTotal === null || bytesTotal > smallBytes) this.#sayConnected(remoteName)
  }

  #sayConnected(remoteName: string | null): void {
    if (this.#isSaidConnected) return
    this.#isSaidConnected = true
    this.#around.report('transfer.connected', { transferId: this.#order.transferId, resumePoint: this.#receiving.resumePoint(), remoteName })
  }

  #startedOver(): void {
    this.#reported = 0
    if (this.#isSaidConnected) this.#around.report('transfer.checkpoint', { transferId: this.#order.transferId, resumePoint: this.#receiving.resumePoint() })
  }

  /** Where that cannot be told from the file, says what is written. */
  #vouch(): void {
    const { file } = this.#receiving
    if (!file?.vouchedFor || !this.#isSaidConnected || file.written.bytes === this.#vouchedFor) return
    this.#vouchedFor = file.written.bytes
    this.#around.report('transfer.checkpoint', { transferId: this.#order.transferId, resumePoint: this.#receiving.resumePoint() })
  }

  /** Bytes that come slowly go to the file before their buffer is full. */
  #passOn(): void {
    const { unwritten } = this.#receiving
    const isTurnedOver = unwritten < this.#gathered
    this.#gathered = unwritten
    if (!isTurnedOver && unwritten < worthWriting) return
    const now = performance.now()
    if (isTurnedOver) this.#gatheringSince = now
    if (unwritten < worthWriting || now - this.#gatheringSince < gatherMs) return
    try {
      this.#receiving.flush()
    } catch (error) {
      return this.#receiving.end(error)
    }
    this.#gathered = 0
    this.#gatheringSince = now
    this.#vouch()
  }

  #look(received: number): void {
    this.#passOn()
    if (Math.abs(received - this.#lookedAt) < lookBytes) return
    this.#lookedAt = received
    this.#checkpointIfDue(performance.now(), this.#receiving.received)
  }

  #checkpointIfDue(now: number, received: number): void {
    const { file } = this.#receiving
    if (!file || !this.#isSaidConnected || !this.#isReceiving || file.isFlushing || received === file.durableBytes) return
    const age = now - this.#checkpointedAt
    const limitMs = file.vouchedFor ? checkpointWithGapsMs : checkpointMs
    if (age < leastCheckpointMs || (received - file.durableBytes < checkpointBytes && age < limitMs)) return
    try {
      // Else there is enough without what has just arrived, and the disk gets it in larger pieces.
      if (age >= limitMs) this.#receiving.flush()
    } catch (error) {
      return this.#receiving.end(error)
    }
    this.#checkpointedAt = now
    const report = (): void => {
      if (this.#isReceiving) this.#around.report('transfer.checkpoint', { transferId: this.#order.transferId, resumePoint: this.#receiving.resumePoint() })
    }
    file.checkpoint().then(report, (error: unknown) => this.#receiving.end(error))
  }

  /** After a stop or a failure: keeps what can be kept. What cannot be flushed is not promised. */
  async #saveWhatIsThere(): Promise<void> {
    this.#isReceiving = false
    await this.#receiving.stopParts()
    try {
      this.#receiving.flush()
      await this.#receiving.file?.checkpoint()
    } catch (error) {
      // The attempt is over anyway; `durable` did not grow, so the next one starts further back. A defect is one still.
      if (localFailure(error).code === 'internal-error') throw error
    }
  }

  /** Where nothing was opened, what was known before still holds. */
  #lastResumePoint(): ResumePoint | null {
    return this.#receiving.file ? this.#receiving.resumePoint() : this.#order.resumePoint
  }
}
