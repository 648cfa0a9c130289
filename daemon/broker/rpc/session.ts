// One connection of a caller: bytes in, calls, bytes out, within his caps. Calls of one connection about one job take
// effect in the order sent. A caller who does not read is not read either, and is cut off when that lasts.
import type net from 'node:net'
import { createPeer, type Method, type Peer } from '../../../protocol/peer.ts'
import type { RefusalKind } from '../../../protocol/refusals.ts'
import type { Caller } from '../../core/access.ts'
import type { Log } from '../../log.ts'
import type { Connection } from './connection.ts'
import type { FairShare } from './fair-share.ts'
import type { HeldBytes, Holder } from './held-bytes.ts'
import { endWithWords } from './last-words.ts'

export interface SessionOptions {
  readonly id: number
  readonly socket: net.Socket
  readonly caller: Caller
  readonly methods: (connection: Connection) => ReadonlyMap<string, Method>
  readonly fairShare: FairShare
  readonly heldBytes: HeldBytes
  /** A call that does nothing but wait; it uses up none of the caller's share. */
  readonly isPatient: (method: string) => boolean
  readonly onDefect: (error: unknown, method: string) => string
  readonly log: Log
}

/** With this much waiting to be written no more is read; with this much the connection is cut. */
const pauseAtBytes = 1024 * 1024
const cutAtBytes = 16 * 1024 * 1024
/** A caller who takes nothing for this long is gone. */
const stalledMs = 60_000

export class Session implements Connection {
  readonly id: number
  readonly caller: Caller
  readonly #socket: net.Socket
  readonly #options: SessionOptions
  readonly #peer: Peer
  readonly #closedListeners = new Set<() => void>()
  readonly #holder: Holder
  #outgoing: string[] = []
  #outgoingCharacters = 0
  #closed = false
  #breached = false
  #callsUnderWay = 0
  #stalled: NodeJS.Timeout | null = null

  constructor(options: SessionOptions) {
    this.id = options.id
    this.caller = options.caller
    this.#socket = options.socket
    this.#options = options
    this.#holder = { ownerId: options.caller.id, cut: (why) => this.#cut(why) }
    this.#peer = createPeer({
      methods: options.methods(this),
      send: (line) => this.#send(line),
      isWary: true,
      onBroken: (error) => {
        options.log.error({ err: error, owner: this.caller.id }, 'an answer cannot be made; its connection ends')
        this.#socket.destroy()
      },
      onBreach: (kind) => this.#breach(kind),
      onDefect: options.onDefect,
      onLoad: (callsUnderWay, method) => this.#loadChanged(callsUnderWay, method),
    })
    options.socket.on('data', (bytes: Buffer) => this.#receive(bytes))
    options.socket.on('drain', () => this.#drained())
    options.socket.on('end', () => this.#otherEnd())
    options.socket.on('error', (error) => options.log.debug({ err: error }, 'a connection failed'))
    options.socket.on('close', () => this.#end())
  }

  get isClosed(): boolean {
    return this.#closed
  }

  get backlogBytes(): number {
    return this.#socket.writableLength
  }

  async request(method: string, params: unknown, timeoutMs: number): Promise<unknown> {
    return await this.#peer.request(method, params, { timeoutMs })
  }

  notify(method: string, params: unknown): void {
    this.#peer.notify(method, params)
  }

  onClosed(listener: () => void): () => void {
    if (this.#closed) listener()
    else this.#closedListeners.add(listener)
    return () => void this.#closedListeners.delete(listener)
  }

  /** Writes what is waiting, then closes. */
  close(): void {
    this.#flush()
    this.#socket.end()
    this.#socket.destroySoon()
  }

  #receive(bytes: Buffer): void {
    this.#socket.pause()
    this.#options.fairShare.submit(this.caller.id, bytes, (slice) => this.#peer.receive(slice), () => {
      this.#noteHeld()
      if (this.backlogBytes < pauseAtBytes) this.#socket.resume()
    })
  }

  /** Lines of one turn of the event loop go out in one write. */
  #send(line: string): void {
    if (this.#closed) return
    this.#outgoingCharacters += line.length
    if (this.#outgoing.push(line) === 1) setImmediate(() => this.#flush())
  }

  #flush(): void {
    const text = this.#outgoing.join('')
    this.#outgoing = []
    this.#outgoingCharacters = 0
    if (text === '' || !this.#socket.writable) return
    this.#socket.write(text)
    this.#noteHeld()
    if (this.backlogBytes > cutAtBytes) return this.#cut('it does not read its answers')
    if (this.#socket.writableNeedDrain) this.#stalled ??= setTimeout(() => this.#cut('it has read nothing for a minute'), stalledMs)
    if (this.backlogBytes > pauseAtBytes) this.#socket.pause()
  }

  #drained(): void {
    if (this.#stalled) clearTimeout(this.#stalled)
    this.#stalled = null
    this.#noteHeld()
    if (!this.#breached) this.#socket.resume()
  }

  #noteHeld(): void {
    const held = this.#closed ? 0 : this.#peer.held + this.#outgoingCharacters + this.backlogBytes
    this.#options.heldBytes.note(this.#holder, held)
  }

  /** The other side sends no more, but may still read the answers. */
  #otherEnd(): void {
    if (this.#callsUnderWay === 0) this.close()
  }

  #breach(kind: RefusalKind): void {
    this.#options.log.debug({ kind, owner: this.caller.id }, 'a connection is closed: it broke the protocol')
    this.#breached = true
    this.#flush()
    endWithWords(this.#socket)
  }

  #cut(why: string): void {
    this.#options.log.warn({ owner: this.caller.id, why }, 'a connection is cut')
    this.#socket.destroy()
  }

  #loadChanged(callsUnderWay: number, method: string): void {
    const hasBegun = callsUnderWay > this.#callsUnderWay
    this.#callsUnderWay = callsUnderWay
    if (!hasBegun) this.#noteHeld()
    const { fairShare, isPatient } = this.#options
    if (hasBegun && !isPatient(method)) fairShare.callStarted(this.caller.id)
    if (!hasBegun && !isPatient(method)) fairShare.callEnded(this.caller.id)
    if (callsUnderWay === 0 && this.#socket.readableEnded) setImmediate(() => this.close())
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#noteHeld()
    if (this.#stalled) clearTimeout(this.#stalled)
    this.#peer.close()
    for (const listener of [...this.#closedListeners]) listener()
    this.#closedListeners.clear()
  }
}

