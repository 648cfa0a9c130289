// One connection to the daemon that is kept open: it is opened again when it was lost (after 50 ms, growing to
// 5 s, jittered), always at the same socket, so that a client never ends up at another daemon. A call that was
// pending when the connection went fails with `connection-closed`, unless repeating it is harmless
// (`repeat.ts`); a call made meanwhile waits for the next connection, for a limited time.
import type { Socket } from 'node:net'
import type { MethodName, ParamsSent, Result } from '../protocol/methods.ts'
import { createPeer, type Method, type Peer } from '../protocol/peer.ts'
import { Refusal } from '../protocol/refusals.ts'
import { openKnownSocket, type OpenedSocket } from './find-socket.ts'
import { paramsToRepeat } from './repeat.ts'

export interface CallOptions {
  /** Stops waiting for the answer; what was asked may happen nevertheless. */
  readonly signal?: AbortSignal | undefined
  /** How long the answer may take; default 60 s (`job.complete`: one hour, `job.wait`: its own time and 30 s, or no limit). */
  readonly timeoutMs?: number | undefined
}
export type Call = <Name extends MethodName>(method: Name, params: ParamsSent<Name>, options?: CallOptions) => Promise<Result<Name>>

/** `closed` comes once and last: by `close()`, or when a connection was lost that is not to be opened again. */
export type ConnectionEvent = 'connected' | 'disconnected' | 'closed'
export type Unsubscribe = () => void

export interface ConnectionOptions {
  readonly methods: ReadonlyMap<string, Method>
  /** Runs on each fresh connection before it is used. */
  readonly greet: (peer: Peer) => Promise<void>
  readonly reconnect: boolean
  readonly reconnectTimeoutMs: number
  readonly onDefect: (error: unknown, method: string) => string
}

const firstDelayMs = 50
const longestDelayMs = 5000
/** What a daemon may answer in one line; it takes 1 MiB itself, and nobody needs to be stricter with it. */
const longestAnswerBytes = 64 * 1024 * 1024
/** Nor with how deep it nests: looking takes nearly as long as parsing, and nothing here walks an answer. */
const deepestAnswer = Infinity

export class Connection {
  readonly #options: ConnectionOptions
  readonly #path: string
  readonly #listeners: Record<ConnectionEvent, Set<() => void>> = { connected: new Set(), disconnected: new Set(), closed: new Set() }
  #peer: Peer | null = null
  #socket: Socket | null = null
  #timer: NodeJS.Timeout | null = null
  #failures = 0
  #closed = false
  #holdsProcess = true

  private constructor(path: string, options: ConnectionOptions) {
    this.#path = path
    this.#options = options
  }

  static async open(opened: OpenedSocket, options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(opened.path, options)
    try {
      await connection.#use(opened.socket)
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }

  get path(): string {
    return this.#path
  }

  get isConnected(): boolean {
    return this.#peer !== null
  }

  get isClosed(): boolean {
    return this.#closed
  }

  on(event: ConnectionEvent, listener: () => void): Unsubscribe {
    this.#listeners[event].add(listener)
    return () => void this.#listeners[event].delete(listener)
  }

  readonly call: Call = async (method, params, { signal, timeoutMs } = {}) => {
    const startedAt = performance.now()
    let sent: object = params
    for (;;) {
      const peer = await this.#connected(signal)
      try {
        const limitMs = timeoutMs ?? answerTimeMs(method, sent)
        return await abortable(peer.request(method, sent, limitMs === null ? {} : { timeoutMs: limitMs }), signal) as Result<typeof method>
      } catch (error) {
        const wasLost = error instanceof Refusal && error.kind === 'connection-closed' && this.#options.reconnect && !this.#closed
        const again = wasLost ? paramsToRepeat(method, sent, performance.now() - startedAt) : null
        if (again === null) throw error
        sent = again
      }
    }
  }

  /** While unreferenced, the connection alone does not keep the process alive. */
  hold(holdsProcess: boolean): void {
    this.#holdsProcess = holdsProcess
    for (const held of [this.#socket, this.#timer]) if (holdsProcess) held?.ref(); else held?.unref()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#timer) clearTimeout(this.#timer)
    const wasConnected = this.#peer !== null
    this.#peer?.close()
    this.#peer = null
    // What was written before is still sent; the daemon closes its side in turn.
    this.#socket?.destroySoon()
    this.#socket = null
    if (wasConnected) this.#emit('disconnected')
    this.#emit('closed')
    for (const listeners of Object.values(this.#listeners)) listeners.clear()
  }

  async #use(socket: Socket): Promise<void> {
    const peer = createPeer({
      send: (line) => void socket.write(line),
      methods: this.#options.methods,
      onBreach: () => socket.destroy(),
      onDefect: this.#options.onDefect,
      maximumLineBytes: longestAnswerBytes,
      maximumAnswerDepth: deepestAnswer,
    })
    this.#socket = socket
    this.hold(this.#holdsProcess)
    socket.on('data', (bytes) => peer.receive(bytes))
    // `close` follows and says all we need.
    socket.on('error', () => {})
    socket.on('close', () => {
      peer.close()
      if (this.#socket === socket) this.#lost()
    })
    await this.#options.greet(peer)
    if (this.#closed || socket.destroyed) throw new Refusal('connection-closed')
    this.#peer = peer
    this.#failures = 0
    this.#emit('connected')
  }

  #lost(): void {
    const wasConnected = this.#peer !== null
    this.#peer = null
    this.#socket = null
    if (!wasConnected || this.#closed) return
    this.#emit('disconnected')
    if (this.#options.reconnect) this.#reconnectLater()
    else this.close()
  }

  #reconnectLater(): void {
    if (this.#closed) return
    const longest = Math.min(longestDelayMs, firstDelayMs * 2 ** this.#failures++)
    this.#timer = setTimeout(() => void this.#reconnect(), longest * (0.5 + Math.random() / 2))
    if (!this.#holdsProcess) this.#timer.unref()
  }

  async #reconnect(): Promise<void> {
    this.#timer = null
    try {
      const { socket } = await openKnownSocket(this.#path)
      if (this.#closed) return void socket.destroy()
      await this.#use(socket)
    } catch {
      // Whatever it was (nobody listens, the hello failed), the answer is the same: later, once more. Callers
      // that wait learn of it by their own time limit.
      this.#socket?.destroy()
      this.#socket = null
      this.#reconnectLater()
    }
  }

  #connected(signal: AbortSignal | undefined): Promise<Peer> {
    signal?.throwIfAborted()
    if (this.#closed) return Promise.reject(new Refusal('connection-closed', {}, 'This client is closed.'))
    if (this.#peer) return Promise.resolve(this.#peer)
    return abortable(new Promise((resolve, reject) => {
      const settle = (answer: () => void): void => {
        clearTimeout(timer)
        stopListening.forEach((stop) => stop())
        answer()
      }
      const timer = setTimeout(() => settle(() => reject(new Refusal('no-daemon', { sockets: [this.#path] }, `No daemon answers (${this.#path}).`))),
        this.#options.reconnectTimeoutMs)
      const stopListening = [
        this.on('connected', () => settle(() => this.#peer ? resolve(this.#peer) : reject(new Refusal('connection-closed')))),
        this.on('closed', () => settle(() => reject(new Refusal('connection-closed', {}, 'This client is closed.')))),
      ]
    }), signal)
  }

  #emit(event: ConnectionEvent): void {
    for (const listener of [...this.#listeners[event]]) listener()
  }
}

function answerTimeMs(method: MethodName, params: object): number | null {
  if (method === 'job.complete') return 3_600_000
  if (method !== 'job.wait') return 60_000
  return 'timeoutSeconds' in params && typeof params.timeoutSeconds === 'number' ? params.timeoutSeconds * 1000 + 30_000 : null
}

/** Rejects with the signal's reason as soon as it aborts, whatever becomes of the promise. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal.reason }))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
