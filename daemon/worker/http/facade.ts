// What the HTTP client takes for its socket: a duplex that the bytes go around. The client reads until nothing is left whenever it is
// told that there is something, and writes heads only; queues between it and the socket would cost as much as its parser.
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

export class Facade extends Duplex {
  readonly #socket: Socket
  readonly #onDestroy: (facade: Facade) => void
  #waiting: Buffer | null = null
  #isFinished = false

  constructor(socket: Socket, onDestroy: (facade: Facade) => void) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    this.#onDestroy = onDestroy
    // The client listens while it uses the facade; afterwards errors concern nobody.
    this.on('error', () => {})
  }

  /** Has the client taken all that it was fed? */
  get isEmpty(): boolean {
    return this.#waiting === null && this.readableLength === 0
  }

  feed(bytes: Buffer): void {
    this.#waiting = this.#waiting ? Buffer.concat([this.#waiting, bytes]) : bytes
    this.emit('readable')
  }

  /** Nothing more will come. */
  finish(): void {
    this.#isFinished = true
    this.push(null)
  }

  override read(size?: number): Buffer | null {
    const bytes = this.#waiting
    this.#waiting = null
    // The end goes the usual way, once everything before it was taken.
    return bytes === null && this.#isFinished ? super.read(size) as Buffer | null : bytes
  }

  override _read(): void {
    this.#socket.resume()
  }

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    return Reflect.apply(this.#socket.write, this.#socket, [chunk, ...rest]) as boolean
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#onDestroy(this)
    done(error)
  }
}
