// An endpoint that is dialled, kept over the moments in which nobody answers there: a program that starts again serves the same
// socket a moment later. While it is away it is dialled anew, for every call and after growing delays in between; when it has
// been away for some minutes the endpoint ends, and that is said.
import type { CallbackName } from '../../../protocol/events.ts'
import { monotonic } from '../clock.ts'
import type { Endpoint } from './endpoint.ts'

export interface Dialled {
  /** Resolves with true for a result, whatever it is; never rejects. */
  call(method: CallbackName, params: object, timeoutMs: number): Promise<boolean>
  close(): void
}

export interface KeptEndpointOptions {
  /** `onLost` is called once when the connection is over. Rejects when there is none. */
  readonly dial: (onLost: () => void) => Promise<Dialled>
  readonly onGivenUp: (why: unknown) => void
  readonly keptForMs?: number
  readonly firstDelayMs?: number
}

const usualKeptForMs = 300_000
const usualFirstDelayMs = 1000
const longestDelayMs = 30_000
/** A connection that lasted so long does not belong to the trouble before it. */
const steadyMs = 10_000

export class KeptEndpoint implements Endpoint {
  readonly #options: KeptEndpointOptions
  #connection: Dialled | null = null
  #dialling: Promise<Dialled | null> | null = null
  #connectedAt = 0
  #lostAt: number | null = null
  #losses = 0
  #why: unknown = null
  #timer: NodeJS.Timeout | null = null
  #isEnded = false
  #onEnded: () => void = () => {}

  private constructor(options: KeptEndpointOptions) {
    this.#options = options
  }

  /** Rejects as the first dialling does. */
  static async open(options: KeptEndpointOptions): Promise<KeptEndpoint> {
    const endpoint = new KeptEndpoint(options)
    endpoint.#take(await options.dial(() => endpoint.#lost()))
    return endpoint
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  async call(method: CallbackName, params: object, timeoutMs: number): Promise<boolean> {
    if (this.#isEnded) return false
    const connection = this.#connection ?? await this.#dial()
    const isAnswered = await connection?.call(method, params, timeoutMs) ?? false
    if (isAnswered) this.#settle()
    return isAnswered
  }

  onEnded(listener: () => void): void {
    this.#onEnded = listener
    if (this.#isEnded) listener()
  }

  close(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    if (this.#timer) clearTimeout(this.#timer)
    this.#connection?.close()
    this.#connection = null
    this.#onEnded()
  }

  #take(connection: Dialled): void {
    this.#connection = connection
    this.#connectedAt = monotonic()
  }

  #lost(): void {
    this.#connection = null
    if (monotonic() - this.#connectedAt >= steadyMs) this.#settle()
    this.#again('The program closed the connection.')
  }

  /** All is well: what comes next is a trouble of its own. */
  #settle(): void {
    this.#lostAt = null
    this.#losses = 0
  }

  /** One dialling at a time; `null` where nobody answers. */
  #dial(): Promise<Dialled | null> {
    this.#dialling ??= this.#options.dial(() => this.#lost()).then((connection) => {
      if (this.#isEnded) {
        connection.close()
        return null
      }
      this.#take(connection)
      return connection
    }, (error: unknown) => {
      this.#again(error)
      return null
    }).finally(() => { this.#dialling = null })
    return this.#dialling
  }

  #again(why: unknown): void {
    if (this.#isEnded) return
    this.#why = why
    this.#lostAt ??= monotonic()
    const { keptForMs = usualKeptForMs, firstDelayMs = usualFirstDelayMs, onGivenUp } = this.#options
    const leftMs = this.#lostAt + keptForMs - monotonic()
    if (leftMs <= 0) {
      onGivenUp(this.#why)
      return this.close()
    }
    const delayMs = Math.min(firstDelayMs * 2 ** Math.min(this.#losses++, 20), longestDelayMs, leftMs)
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => { if (!this.#connection) void this.#dial() }, delayMs).unref()
  }
}
