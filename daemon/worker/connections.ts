// The connections of this worker, by origin: given out one at a time, kept for a moment when an answer left them
// in order. Loads the HTTP client at the first use. It knows nothing of what is asked over them.
import type { Client } from 'undici'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { Wire } from './wire.ts'

const keptPerOrigin = 16
/** Below the five seconds after which common servers close. */
const keptForMs = 4000
const largestHead = 64 * 1024
const rememberedSessions = 100

export class Connection {
  readonly origin: string
  readonly wire: Wire
  readonly client: Client
  /** Answers that came over it; a kept connection may turn out to be dead. */
  answers = 0

  constructor(origin: string, wire: Wire, createClient: typeof Client) {
    this.origin = origin
    this.wire = wire
    this.client = new createClient(origin, {
      connect: (_, callback) => void queueMicrotask(() => callback(null, wire.attach() as never)),
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
  readonly #timers = new Map<Connection, NodeJS.Timeout>()
  readonly #sessions = new Map<string, Buffer>()
  readonly #atWork = new Map<string, number>()
  #authorities: readonly string[] = []
  /** Made when the first secure connection needs it: reading some hundred certificates costs time and memory. */
  #trust: SecureContext | null = null
  #createClient: Promise<typeof Client> | null = null

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

  /** Counts a request while it is under way. */
  async during<T>(origin: string, act: () => Promise<T>): Promise<T> {
    this.#atWork.set(origin, this.atWork(origin) + 1)
    try {
      return await act()
    } finally {
      const left = this.atWork(origin) - 1
      if (left > 0) this.#atWork.set(origin, left)
      else this.#atWork.delete(origin)
    }
  }

  async take(url: URL, signal: AbortSignal): Promise<Connection> {
    const { origin } = url
    for (let kept = this.#takeIdle(origin); kept; kept = this.#takeIdle(origin)) {
      if (kept.wire.isOpen) return kept
      kept.close()
    }
    const secure = url.protocol === 'https:'
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
    const remember = (session: Buffer): void => {
      this.#sessions.delete(origin)
      this.#sessions.set(origin, session)
      if (this.#sessions.size > rememberedSessions) this.#sessions.delete(this.#sessions.keys().next().value ?? '')
    }
    const createClient = await this.#loadClient()
    const wire = await Wire.open({ secure, host, port, trust: secure ? this.#trusted() : null }, this.#sessions.get(origin) ?? null, remember, signal)
    return new Connection(origin, wire, createClient)
  }

  /** `null`: the authorities that Node knows anyway. */
  #trusted(): SecureContext | null {
    if (this.#authorities.length === 0) return null
    return this.#trust ??= createSecureContext({ ca: [...rootCertificates, ...this.#authorities] })
  }

  #loadClient(): Promise<typeof Client> {
    // Its parser is WebAssembly, and optimising that takes thirty megabytes and more time than heads ever take.
    setFlagsFromString('--liftoff-only')
    // By its default export, which is all that a package in the older module format has once it is in a bundle.
    return this.#createClient ??= import('undici').then((undici) => undici.default.Client)
  }

  /** Takes a connection back whose answer was read to the end. */
  async keep(connection: Connection): Promise<void> {
    let fresh = connection
    if (connection.client.destroyed) {
      // A tapped body has used the client up, but not the wire.
      fresh = new Connection(connection.origin, connection.wire, await this.#loadClient())
      fresh.answers = connection.answers
    }
    const idle = this.#idle.get(fresh.origin) ?? []
    if (!fresh.wire.isOpen || idle.length >= keptPerOrigin) return fresh.close()
    this.#idle.set(fresh.origin, [...idle, fresh])
    fresh.wire.onIdleEnd = () => this.#drop(fresh)
    this.#timers.set(fresh, setTimeout(() => this.#drop(fresh), keptForMs))
  }

  close(): void {
    for (const connection of [...this.#timers.keys()]) this.#drop(connection)
  }

  #takeIdle(origin: string): Connection | null {
    const connection = this.#idle.get(origin)?.at(-1)
    if (!connection) return null
    this.#forget(connection)
    return connection
  }

  #drop(connection: Connection): void {
    this.#forget(connection)
    connection.close()
  }

  #forget(connection: Connection): void {
    connection.wire.onIdleEnd = null
    clearTimeout(this.#timers.get(connection))
    this.#timers.delete(connection)
    const left = (this.#idle.get(connection.origin) ?? []).filter((other) => other !== connection)
    if (left.length > 0) this.#idle.set(connection.origin, left)
    else this.#idle.delete(connection.origin)
  }
}
