// One connection to a server, plain or TLS, read into a buffer of ours (`onread`) and not through streams, which
// cost three to four times as much. The HTTP client sees a facade, a duplex that
// is fed copies of the bytes while heads and small bodies are read. For a large body a tap takes the place of the
// facade: from then on the bytes land in the tap's own buffer. After it the wire may get a new facade.
// The invariant: every byte goes to exactly one of them, in order; nothing is switched while the facade holds bytes.
import { connect as connectPlain, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectSecure, type ConnectionOptions, type SecureContext } from 'node:tls'
import { Facade } from './facade.ts'
import { ReadPace } from './read-pace.ts'

export interface Tap {
  /** Where the next bytes of the body shall land; never empty. */
  room(): Buffer
  /** They are there. */
  filled(count: number): void
  /** Bytes that landed elsewhere. */
  take(bytes: Buffer): void
  /** The connection ended or failed (`null`: it was closed in order). */
  ended(error: Error | null): void
}

export interface Endpoint {
  readonly secure: boolean
  readonly host: string
  readonly port: number
  /** Certificates beyond those of the system; `null`: none. */
  readonly trust: SecureContext | null
}

/** While heads are read all wires share one buffer: what lands there is copied before the next read. */
let headBuffer: Buffer | null = null

export class Wire {
  #socket: Socket
  #facade: Facade | null = null
  #tap: Tap | null = null
  #waitingTap: Tap | null = null
  #room: Buffer | null = null
  /** `null` over TLS: there a read gives one record and not what has gathered. */
  readonly #pace: ReadPace | null
  #end: { readonly error: Error | null } | null = null
  #firstBytes = Buffer.alloc(0)
  /** The last bytes that the facade was given; their end shows whether more came than belonged to an answer. */
  lastFed: Buffer | null = null
  onIdleEnd: (() => void) | null = null

  private constructor(open: (onread: { buffer: () => Buffer; callback: (count: number, bytes: Uint8Array) => boolean }) => Socket, secure: boolean) {
    this.#pace = secure ? null : new ReadPace()
    this.#socket = open({ buffer: () => this.#nextBuffer(), callback: (count, bytes) => this.#received(count, bytes) })
  }

  /** Connects within `signal`; rejects with what the system or TLS says. */
  static open(endpoint: Endpoint, session: Buffer | null, onSession: (session: Buffer) => void, signal: AbortSignal): Promise<Wire> {
    const { host, port, secure } = endpoint
    return new Promise((resolve, reject) => {
      const wire = new Wire((onread) => {
        if (!secure) return connectPlain({ host, port, onread, noDelay: true })
        return connectSecure(secureOptions(endpoint, session, onread))
      }, secure)
      const socket = wire.#socket
      const abort = (): void => {
        socket.destroy()
        reject(signal.reason)
      }
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      socket.on('session', onSession)
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        signal.removeEventListener('abort', abort)
        socket.setKeepAlive(true, 60_000)
        resolve(wire)
      })
      const early = (error: Error | null): void => {
        signal.removeEventListener('abort', abort)
        reject(error ?? Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
        wire.#ended(error)
      }
      socket.on('error', early)
      socket.on('end', () => wire.#ended(null))
      socket.on('close', () => early(null))
    })
  }

  get isOpen(): boolean {
    return this.#end === null
  }

  /** Which HTTP the last answer began with. */
  get version(): '1.0' | '1.1' | null {
    const begin = this.#firstBytes.toString('latin1')
    return begin.startsWith('HTTP/1.1') ? '1.1' : begin.startsWith('HTTP/1.0') ? '1.0' : null
  }

  /** Has the server said anything since the facade was given out? */
  get hasAnswered(): boolean {
    return this.#firstBytes.length > 0
  }

  /** A new duplex for the HTTP client; the one before must be gone. */
  attach(): Duplex {
    this.#facade = new Facade(this.#socket, (facade) => {
      if (facade !== this.#facade) return
      this.#facade = null
      this.destroy()
    })
    return this.#facade
  }

  /** A new request is about to be made on the facade. */
  expectAnswer(): void {
    this.#firstBytes = Buffer.alloc(0)
    this.lastFed = null
  }

  /** From the next bytes that the facade does not hold on, the tap gets them. */
  tapBody(tap: Tap): void {
    this.#waitingTap = tap
  }

  /** The tapped body is complete. */
  untap(): void {
    this.#tap = this.#waitingTap = null
  }

  get isTapped(): boolean {
    return this.#tap !== null
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #nextBuffer(): Buffer {
    this.#room = this.#tap ? this.#tap.room() : null
    return this.#room ?? (headBuffer ??= Buffer.allocUnsafeSlow(64 * 1024))
  }

  #received(count: number, buffer: Uint8Array): boolean {
    if (this.#waitingTap && this.#facade?.isEmpty) this.#switch(this.#waitingTap)
    if (this.#tap) {
      if (this.#room) this.#tap.filled(count)
      else this.#tap.take(Buffer.from(buffer.buffer, buffer.byteOffset, count))
      return this.#rest(count)
    }
    const bytes = Buffer.from(buffer.subarray(0, count))
    if (this.#firstBytes.length === 0) hideContinue(bytes)
    if (this.#firstBytes.length < 8) this.#firstBytes = Buffer.concat([this.#firstBytes, bytes.subarray(0, 8)])
    if (!this.#facade) {
      // Nobody asked for this: the server is out of step.
      this.destroy()
      return false
    }
    this.lastFed = bytes
    this.#facade.feed(bytes)
    return true
  }

  /** Leaves the socket alone for as long as its pace says; `false` stops the reading. */
  #rest(count: number): boolean {
    if (!this.#pace || !this.#tap) return true
    // A full room says nothing about what waits behind it.
    const waitMs = this.#pace.after(count, performance.now(), count === this.#room?.length)
    if (waitMs === 0) return true
    setTimeout(() => this.#socket.resume(), waitMs)
    return false
  }

  #switch(tap: Tap): void {
    const facade = this.#facade
    this.#facade = this.#waitingTap = null
    this.#tap = tap
    facade?.destroy()
  }

  #ended(error: Error | null): void {
    if (this.#end) return
    this.#end = { error }
    const tap = this.#tap ?? (this.#facade?.isEmpty ? this.#waitingTap : null)
    if (tap) {
      this.#tap = tap
      tap.ended(error)
    } else if (error) this.#facade?.destroy(error)
    else this.#facade?.finish()
    this.onIdleEnd?.()
  }
}

/**
 * An unexpected 100 may be ignored (RFC 9110 §15.2.1), but the HTTP client takes offence: it gets to see a 102. Looks
 * at the interim answers that come together at the beginning, which is how servers send them.
 */
function hideContinue(bytes: Buffer): void {
  for (let at = 0; /^HTTP\/1\.1 1\d\d$/.test(bytes.toString('latin1', at, at + 12));) {
    if (bytes.toString('latin1', at + 9, at + 12) === '100') bytes.write('102', at + 9, 'latin1')
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end === -1) return
    at = end + 4
  }
}

type OnRead = { buffer: () => Buffer; callback: (count: number, bytes: Uint8Array) => boolean }

function secureOptions({ host, port, trust }: Endpoint, session: Buffer | null, onread: OnRead): ConnectionOptions & { onread: OnRead } {
  return {
    host,
    port,
    onread,
    ALPNProtocols: ['http/1.1'],
    // A name, not an address, may be sent along (RFC 6066 §3).
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    ...(session ? { session } : {}),
    ...(trust ? { secureContext: trust } : {}),
  }
}
