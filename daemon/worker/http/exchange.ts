// One request and its answer over one connection. The head is judged by the caller, who says where the body goes;
// a plain body comes straight from the socket, any other through the HTTP client. Both ways end alike: resolved when
// exactly the announced body was received, rejected with whatever went wrong first. It does not judge, retry, or write.
import { failure } from '../../../protocol/failures.ts'
import type { Cancellation } from '../cancellation.ts'
import type { Connection } from './connections.ts'
import { codeOf, raise } from '../failure-from.ts'
import type { AnswerHead } from './response.ts'
import type { Tap } from './tap.ts'

/** The body of an answer that is no file is read to keep the connection, if it is not larger than this. */
const worthReading = 16 * 1024

/** Others have their turn after this. */
const drainedAtOnce = 4 * 1024 * 1024

export interface Sink {
  room(): Buffer | null
  filled(count: number): void
  take(bytes: Uint8Array): void
  /** It would rather have nothing more until this resolves; rejects with what ends the exchange. `null`: go on. */
  readonly behind: Promise<void> | null
  readonly mayDrain: boolean
  drain(socket: number, most: number): number
}

/** `sink: null`: the body is of no interest. `length: null`: it is not known. */
export interface BodyPlan {
  readonly sink: Sink | null
  readonly length: number | null
}

export interface Exchange {
  readonly connection: Connection
  readonly method: string
  readonly path: string
  readonly headers: readonly string[]
  /** Looks at the head and says what shall become of the body. May throw. */
  readonly onHead: (head: AnswerHead) => BodyPlan
  /** Called whenever bytes arrive. */
  readonly onBytes: () => void
  readonly cancellation: Cancellation
}

/** Gives whether the connection can be used again. */
export function runExchange(exchange: Exchange): Promise<boolean> {
  return new Promise((resolve, reject) => new Answer(exchange, resolve, reject).start())
}

class Answer implements Tap {
  readonly #exchange: Exchange
  readonly #resolve: (mayKeep: boolean) => void
  readonly #reject: (error: unknown) => void
  #plan: BodyPlan | null = null
  #received = 0
  #keepsAlive = false
  #isChunked = false
  #isOver = false
  #lastPiece: Buffer | null = null

  constructor(exchange: Exchange, resolve: (mayKeep: boolean) => void, reject: (error: unknown) => void) {
    this.#exchange = exchange
    this.#resolve = resolve
    this.#reject = reject
  }

  start(): void {
    const { connection: { client, wire }, method, path, headers, cancellation } = this.#exchange
    if (cancellation.isCancelled) return this.#fail(cancellation.reason)
    cancellation.onCancel(() => this.#fail(cancellation.reason))
    wire.expectAnswer()
    try {
      client.dispatch({ method: method as 'GET', path, headers: headers as string[], idempotent: true, blocking: false }, {
        onRequestStart: () => {},
        onResponseStart: (_, status, answered) => this.#guard(() => this.#head(status, answered)),
        onResponseData: (_, bytes) => this.#guard(() => this.#piece(bytes)),
        onResponseEnd: () => this.#guard(() => this.#ended()),
        onResponseError: (_, error) => this.#guard(() => this.#broke(error)),
      })
    } catch (error) {
      this.#fail(error)
    }
  }

  room(): Buffer | null {
    return this.#plan?.sink?.room() ?? null
  }

  filled(count: number): void {
    this.#guard(() => {
      this.#exchange.onBytes()
      const missing = (this.#plan?.length ?? 0) - this.#received
      const ours = Math.min(count, missing)
      this.#received += ours
      this.#plan?.sink?.filled(ours)
      // What follows a whole body belongs to nothing: the body is good, the connection is not.
      if (ours === missing) this.#finish(this.#keepsAlive && ours === count)
      else this.#holdIfBehind()
    })
  }

  get mayDrain(): boolean {
    return this.#plan?.sink?.mayDrain ?? false
  }

  drain(socket: number): number {
    let count = 0
    this.#guard(() => {
      // The last byte comes the usual way, where it shows whether the server sends more than it should.
      const most = Math.min(drainedAtOnce, (this.#plan?.length ?? 0) - this.#received - 1)
      if (most > 0) count = this.#plan?.sink?.drain(socket, most) ?? 0
      this.#received += count
      if (count > 0) this.#exchange.onBytes()
    })
    return count
  }

  take(bytes: Buffer): void {
    this.#guard(() => {
      const missing = (this.#plan?.length ?? 0) - this.#received
      this.#piece(bytes.subarray(0, missing))
      if (bytes.length >= missing) this.#finish(this.#keepsAlive && bytes.length === missing)
    })
  }

  ended(error: Error | null): void {
    this.#fail(error ?? Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
  }

  #head(status: number, answered: AnswerHead['headers']): void {
    const { connection: { wire }, onHead, onBytes } = this.#exchange
    if (status < 200) return
    onBytes()
    const { plainLength, version } = wire.head
    const headers = plainLength === null ? answered : { ...answered, 'content-length': String(plainLength) }
    this.#plan = onHead({ status, headers, version })
    this.#keepsAlive = version === '1.1' && !/\bclose\b/i.test(String(headers['connection'] ?? ''))
    this.#isChunked = headers['transfer-encoding'] !== undefined
    const { sink, length } = this.#plan
    if (sink === null && (length === null || length > worthReading)) return this.#finish(false)
    if (plainLength !== null) wire.tapBody(this)
  }

  #piece(bytes: Buffer): void {
    const { sink = null, length = null } = this.#plan ?? {}
    this.#exchange.onBytes()
    if (length !== null && this.#received + bytes.length > length) raise(failure('invalid-server-response', 'The server sent more than it had announced.'))
    this.#received += bytes.length
    this.#lastPiece = bytes
    sink?.take(bytes)
    this.#holdIfBehind()
    if (sink === null && this.#received > worthReading) this.#finish(false)
  }

  #holdIfBehind(): void {
    const behind = this.#plan?.sink?.behind
    if (behind) this.#exchange.connection.wire.hold(behind.catch((error: unknown) => this.#fail(error)))
  }

  #ended(): void {
    const { wire } = this.#exchange.connection
    // For the client only the head is over.
    if (wire.isTapped) return
    if (wire.brokenBy) return this.#broke(wire.brokenBy)
    const { length = null } = this.#plan ?? {}
    if (length !== null && this.#received < length) raise(failure('connection-closed', 'The answer ended before the end of the file.'))
    this.#finish(this.#keepsAlive && !this.#hasExcess())
  }

  #broke(error: Error): void {
    if (this.#plan?.sink === null) return this.#finish(false)
    // The client calls any broken answer with a length a contradiction; one that only ends early was cut.
    const isCut = codeOf(error) === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && this.#plan?.length != null && this.#received < this.#plan.length
    if (isCut) raise(failure('connection-closed', 'The answer ended before the end of the file.'))
    if (this.#exchange.connection.wire.head.isHttp2) raise(failure('unsupported-protocol', 'The server speaks HTTP/2 only.'))
    // Where the connection broke, the client only names what it made of that.
    throw this.#exchange.connection.wire.brokenBy ?? error
  }

  /** Did bytes come along with the last piece that belong to no answer? After chunks the client finds that out itself. */
  #hasExcess(): boolean {
    const fed = this.#exchange.connection.wire.lastFed
    const last = this.#lastPiece
    if (this.#isChunked || !fed || !last || fed.buffer !== last.buffer) return false
    return last.byteOffset + last.length < fed.byteOffset + fed.length
  }

  #finish(mayKeep: boolean): void {
    if (!this.#settle()) return
    const { connection } = this.#exchange
    connection.wire.untap()
    connection.answers += 1
    this.#resolve(mayKeep)
  }

  #fail(error: unknown): void {
    if (!this.#settle()) return
    this.#exchange.connection.close()
    this.#reject(error)
  }

  #settle(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#exchange.cancellation.onCancel(null)
    return true
  }

  /** Whatever is thrown while bytes arrive ends the exchange, and not the process. */
  #guard(act: () => void): void {
    if (this.#isOver) return
    try {
      act()
    } catch (error) {
      this.#fail(error)
    }
  }
}
