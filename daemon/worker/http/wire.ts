// One connection to a server, plain or TLS, read into a buffer of ours (`onread`) and not through streams, which
// cost three to four times as much. The HTTP client sees a facade, a duplex that is fed copies of the heads, and of the bodies
// that are not plain. A plain body goes to a tap: straight into its buffer or, while that has none, from the common one; what comes fast it
// may take from the socket by itself.
// The invariant: every byte goes to exactly one of them, in order; it is decided at the end of a head.
import { connect as connectPlain, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectSecure } from 'node:tls'
import type { Cancellation } from '../cancellation.ts'
import { Facade } from './facade.ts'
import { HeadReader } from './head-reader.ts'
import { ReadPace } from './read-pace.ts'
import { closedInOrder, descriptorOf, secureOptions, type Endpoint, type OnRead } from './socket-options.ts'
import type { Tap } from './tap.ts'

/** All wires share one buffer for what has no place yet: what lands there is used or copied before the next read. */
let commonBuffer: Buffer | null = null
/** A smaller body is over before anything could be said about its pace. */
const pacedBytes = 256 * 1024
/** If so much waits, there is probably more. */
const probeBytes = 64 * 1024

export class Wire {
  #socket: Socket
  #facade: Facade | null = null
  #tap: Tap | null = null
  #room: Buffer | null = null
  /** `null` over TLS: there a read gives one record and not what has gathered. */
  readonly #pace: ReadPace | null
  #held: Promise<void> | null = null
  #isOver = false
  #brokenBy: Error | null = null
  readonly #heads = new HeadReader()
  /** The last bytes that the facade was given; their end shows whether more came than belonged to an answer. */
  lastFed: Buffer | null = null
  onIdleEnd: (() => void) | null = null

  private constructor(open: (onread: OnRead) => Socket, secure: boolean) {
    this.#pace = secure ? null : new ReadPace()
    this.#socket = open({ buffer: () => this.#nextBuffer(), callback: (count, bytes) => this.#received(count, bytes) && !this.#waitIfHeld() })
  }

  /** Connects unless it is cancelled; rejects with what the system or TLS says, or why it was cancelled. */
  static open(endpoint: Endpoint, session: Buffer | null, onSession: (session: Buffer) => void, cancellation: Cancellation): Promise<Wire> {
    const { address, port, secure } = endpoint
    return new Promise((resolve, reject) => {
      const wire = new Wire((onread) => {
        if (!secure) return connectPlain({ host: address, port, onread, noDelay: true })
        return connectSecure(secureOptions(endpoint, session, onread))
      }, secure)
      const socket = wire.#socket
      const cancel = (): void => {
        socket.destroy()
        reject(cancellation.reason)
      }
      if (cancellation.isCancelled) return cancel()
      cancellation.onCancel(cancel)
      let isConnected = false
      socket.on('session', onSession)
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        isConnected = true
        cancellation.onCancel(null)
        socket.setKeepAlive(true, 60_000)
        resolve(wire)
      })
      const ended = (error: Error | null): void => {
        if (isConnected) return wire.#ended(error)
        cancellation.onCancel(null)
        reject(error ?? closed())
      }
      socket.on('error', ended)
      socket.on('end', () => wire.#ended(!secure || closedInOrder(socket) ? null : closed()))
      socket.on('close', () => ended(null))
    })
  }

  get isOpen(): boolean {
    return !this.#isOver && !this.#socket.destroyed
  }

  /** What ended the connection, unless it is open or was closed in order. The HTTP client takes a reset for the end of an answer. */
  get brokenBy(): Error | null {
    return this.#brokenBy
  }

  /** What the head of the last answer said about it. */
  get head(): Pick<HeadReader, 'version' | 'isHttp2' | 'hasAnswered' | 'plainLength'> {
    return this.#heads
  }

  /** A new duplex for the HTTP client; the one before must be gone. */
  attach(): Duplex {
    this.#facade = new Facade(this.#socket, (facade) => {
      if (facade !== this.#facade) return
      this.#facade = null
      // For the client the answer may be over, and the connection of no more use, while the body still comes.
      if (!this.#tap) this.destroy()
    })
    return this.#facade
  }

  /** A new request is about to be made on the facade. */
  expectAnswer(): void {
    this.#heads.expect()
    this.lastFed = null
  }

  /** Takes the plain body whose head the client is just looking at. */
  tapBody(tap: Tap): void {
    this.#tap = tap
  }

  /** The tapped body is complete. */
  untap(): void {
    this.#tap = null
  }

  /** Reads no more until this resolves; what was read already comes nevertheless. */
  hold(until: Promise<void>): void {
    this.#held = until
  }

  get isTapped(): boolean {
    return this.#tap !== null
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #nextBuffer(): Buffer {
    const room = this.#tap?.room() ?? null
    this.#room = room && this.#mayDrain ? room.subarray(0, probeBytes) : room
    return this.#room ?? (commonBuffer ??= Buffer.allocUnsafeSlow(64 * 1024))
  }

  /** What comes slowly is better gathered, and what is encrypted must be read. */
  get #mayDrain(): boolean {
    return this.#pace !== null && !this.#pace.isWaiting && this.#tap !== null && this.#tap.mayDrain
  }

  #received(count: number, buffer: Uint8Array): boolean {
    if (this.#tap && this.#room) {
      const isFull = count === this.#room.length
      this.#tap.filled(count)
      const drained = isFull && this.#mayDrain ? this.#tap.drain(descriptorOf(this.#socket)) : 0
      // A full room says nothing about what waits behind it.
      return this.#rest(count + drained, isFull && drained === 0)
    }
    const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, count)
    const left = this.#heads.isDue ? this.#takeHeads(bytes) : bytes
    if (left.length === 0) return true
    if (this.#tap) {
      this.#tap.take(left)
      return this.#rest(count, false)
    }
    return this.#feed(Buffer.from(left))
  }

  /** Hands on what is whole of heads, and gives what follows the last one. */
  #takeHeads(bytes: Buffer): Buffer {
    const { heads, left } = this.#heads.take(bytes)
    for (const head of heads) if (!this.#feed(head)) break
    return left
  }

  #feed(bytes: Buffer): boolean {
    this.lastFed = bytes
    if (!this.#facade) {
      // Nobody asked for this: the server is out of step.
      this.destroy()
      return false
    }
    this.#facade.feed(bytes)
    return true
  }

  /** Leaves the socket alone for as long as its pace says; `false` stops the reading. */
  #rest(count: number, isFull: boolean): boolean {
    if (!this.#pace || !this.#tap || (this.#heads.plainLength ?? 0) < pacedBytes) return true
    const waitMs = this.#pace.after(count, performance.now(), isFull)
    if (waitMs === 0) return true
    setTimeout(() => this.#socket.resume(), waitMs)
    return false
  }

  /** Was it asked to read no more? Then it goes on when that is over. */
  #waitIfHeld(): boolean {
    const until = this.#held
    this.#held = null
    void until?.then(() => this.#socket.resume())
    return until !== null
  }

  #ended(error: Error | null): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#brokenBy = error
    const unfinished = this.#heads.end()
    if (unfinished) this.#feed(unfinished)
    if (this.#tap) this.#tap.ended(error)
    else if (error) this.#facade?.destroy(error)
    else this.#facade?.finish()
    this.onIdleEnd?.()
  }
}

function closed(): Error {
  return Object.assign(new Error('closed'), { code: 'ECONNRESET' })
}
