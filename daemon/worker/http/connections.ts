// The connections of this worker, by origin: given out one at a time, kept for a moment when an answer left them
// in order. Loads the HTTP client at the first use. It knows nothing of what is asked over them.
import type { Client } from 'undici'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import type { Cancellation } from '../cancellation.ts'
import { addressesOf, firstToConnect } from './addresses.ts'
import { Wire } from './wire.ts'

/** As many as all foreground slots have files at once by default. */
const keptPerOrigin = 64
/** Together below the five seconds after which common servers close. */
const keptForMs = 3500
const sweepMs = 500
const largestHead = 64 * 1024
const rememberedSessions = 100

export class Connection {
  readonly origin: string
  readonly wire: Wire
  readonly client: Client
  /** Answers that came over it; a kept connection may turn out to be dead. */
  answers = 0
  /** By the process's own clock, in milliseconds. */
  idleSince = 0

  constructor(origin: string, wire: Wire, createClient: typeof Client) {
    this.origin = origin
    this.wire = wire
    this.client = new createClient(origin, {
      connect: (_, callback) => void queueMicrotask(() => {
        // The client connects anew where it lost its facade before it had sent a request; on a dead wire that would wait for ever.
        if (wire.isOpen) callback(null, wire.attach() as never)
        else callback(Object.assign(new Error('closed'), { code: 'ECONNRESET' }), null)
      }),
      maxHeaderSize: largestHead,
      // The transfer watches the clock, the same way on both paths.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: keptForMs * 2,
    })
    // Errors reach the request they belong to.
    this.client.on('connectionError', () => {})
  }

  close(): void {
    this.wire.destroy()
    void this.client.destroy()
  }
}

export class Connections {
  readonly #idle = new Map<string, Connection[]>()
  readonly #sessions = new Map<string, Buffer>()
  readonly #atWork = new Map<string, number>()
  #authorities: readonly string[] = []
  /** Made when the first secure connection needs it: reading some hundred certificates costs time and memory. */
  #trust: SecureContext | null = null
  #createClient: typeof Client | null = null
  #sweeper: NodeJS.Timeout | null = null

  trust(certificateAuthorities: readonly string[]): void {
    this.#authorities = certificateAuthorities
    this.#trust = null
    this.#sessions.clear()
    this.close()
  }

  /** How many requests to the server of this origin are under way. */
  atWork(origin: string): number {
    return this.#atWork.get(origin) ?? 0
  }

  /** A request to that server is under way; `requestEnded` counts it out again. */
  requestBegan(origin: string): void {
    this.#atWork.set(origin, this.atWork(origin) + 1)
  }

  requestEnded(origin: string): void {
    const left = this.atWork(origin) - 1
    if (left > 0) this.#atWork.set(origin, left)
    else this.#atWork.delete(origin)
  }

  /** One that was kept, if there is any. */
  takeKept(origin: string): Connection | null {
    const idle = this.#idle.get(origin) ?? []
    for (let kept = idle.pop(); kept; kept = idle.pop()) {
      kept.wire.onIdleEnd = null
      if (kept.wire.isOpen) return kept
      kept.close()
    }
    return null
  }

  /** Makes a new one. Rejects with what the system or TLS says, or why it was cancelled. */
  async open(url: URL, cancellation: Cancellation): Promise<Connection> {
    const { origin } = url
    const secure = url.protocol === 'https:'
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
    const remember = (session: Buffer): void => {
      this.#sessions.delete(origin)
      this.#sessions.set(origin, session)
      if (this.#sessions.size > rememberedSessions) this.#sessions.delete(this.#sessions.keys().next().value ?? '')
    }
    const createClient = await this.#loadClient()
    const trust = secure ? this.#trusted() : null
    const wire = await firstToConnect({
      addresses: await addressesOf(host, cancellation), cancellation,
      attempt: (address, own) => Wire.open({ secure, host, address, port, trust }, this.#sessions.get(origin) ?? null, remember, own),
    })
    return new Connection(origin, wire, createClient)
  }

  /** `null`: the authorities that Node knows anyway. */
  #trusted(): SecureContext | null {
    if (this.#authorities.length === 0) return null
    return this.#trust ??= createSecureContext({ ca: [...rootCertificates, ...this.#authorities] })
  }

  async #loadClient(): Promise<typeof Client> {
    // Its parser is WebAssembly, and optimising that takes thirty megabytes and more time than heads ever take.
    setFlagsFromString('--liftoff-only')
    // Not by the package's entry, which loads fetch, WebSockets, caches and more: 9 MB more and three times the time, for nothing.
    return this.#createClient ??= (await import('undici/lib/dispatcher/client.js')).default
  }

  /** Takes a connection back whose answer was read to the end. */
  keep(connection: Connection): void {
    const idle = this.#idle.get(connection.origin) ?? []
    if (!connection.wire.isOpen || idle.length >= keptPerOrigin) return connection.close()
    idle.push(connection)
    this.#idle.set(connection.origin, idle)
    connection.idleSince = performance.now()
    connection.wire.onIdleEnd = () => this.#drop(connection)
    this.#sweeper ??= setInterval(() => this.#sweep(performance.now() - keptForMs), sweepMs)
  }

  close(): void {
    this.#sweep(Infinity)
  }

  /** Closes those that have been idle since then or longer. */
  #sweep(before: number): void {
    for (const connection of [...this.#idle.values()].flat()) if (connection.idleSince <= before) this.#drop(connection)
    for (const [origin, idle] of this.#idle) if (idle.length === 0) this.#idle.delete(origin)
    if (this.#idle.size > 0 || !this.#sweeper) return
    clearInterval(this.#sweeper)
    this.#sweeper = null
  }

  #drop(connection: Connection): void {
    const idle = this.#idle.get(connection.origin) ?? []
    const at = idle.indexOf(connection)
    if (at >= 0) idle.splice(at, 1)
    connection.wire.onIdleEnd = null
    connection.close()
  }
}
