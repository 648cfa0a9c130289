// Shares the work on one file among connections: whether there are further ones, how many at each moment, and that there are
// none where they do harm. What they bring and how is `parts.ts`'s to know, how many help `connection-count.ts`'s.
import type { TransferOrder, Validator } from '../link/messages.ts'
import { ConnectionCount, mostConnections } from './connection-count.ts'
import { localFailure } from './failure-from.ts'
import type { Answered } from './fetch-span.ts'
import { mayHaveParts, Parts, type PartsOptions } from './parts.ts'

export type Shareable = Pick<PartsOptions, 'target' | 'file' | 'mainAt' | 'total'> & {
  readonly validator: Validator
  /** What the main connection brings. */
  readonly span: { readonly from: number; readonly to: number }
  readonly here: number
}

export class Sharing {
  readonly #order: TransferOrder
  readonly #connections: PartsOptions['connections']
  #parts: Parts | null = null
  #count: ConnectionCount | null = null
  #total = 0
  #isAlone: boolean

  constructor(order: TransferOrder, connections: PartsOptions['connections']) {
    this.#order = order
    this.#connections = connections
    this.#isAlone = order.resumePoint?.oneConnection === true
  }

  /** No further connection: the server ended the first one because of it. */
  get isAlone(): boolean {
    return this.#isAlone
  }

  /** Bytes of further connections that arrived and are not written yet. */
  get unwritten(): number {
    return this.#parts?.unwritten ?? 0
  }

  /** Where the main connection may stop; exclusive. */
  get mainTo(): number {
    return this.#parts?.mainTo ?? Infinity
  }

  /** Where it can be proven that parts belong together, further connections may bring some. */
  begin({ span, here, ...what }: Shareable, { takesRanges, answerMs }: Answered): void {
    const { total, validator } = what
    if (this.#isAlone || !mayHaveParts(this.#order, total, validator)) return
    this.#total = total
    this.#parts ??= new Parts({ ...what, order: this.#order, connections: this.#connections, takesRanges }, span)
    this.#count ??= new ConnectionCount(takesRanges ? answerMs : 0, total - here)
    this.tick(performance.now(), here)
  }

  /** Looks how many connections there shall be. */
  tick(now: number, received: number): void {
    const parts = this.#parts
    if (!parts) return
    const automatic = (): number => this.#count?.after(received, this.#total - received, now) ?? 1
    parts.wanted = this.#order.connections ?? Math.min(automatic(), parts.within(mostConnections))
    parts.tick(now)
  }

  flush(): void {
    this.#parts?.flush()
  }

  /** No further connection brings anything after this. */
  async stop(): Promise<void> {
    await this.#parts?.stop()
  }

  /** Resolves when further connections have brought what they could; the next body is shared anew. */
  async ended(): Promise<void> {
    await this.#parts?.ended()
    this.#parts = null
  }

  /**
   * After the main connection failed: is one alone better off? Some servers, of accounts and sessions mostly, end the older
   * connection when a newer one is opened. That is no trouble of the way: what is missing may be asked for again at once.
   */
  async isBetterAlone(error: unknown): Promise<boolean> {
    if (!this.#parts?.isAny || localFailure(error).code !== 'connection-closed') return false
    this.#isAlone = true
    await this.#parts.stop()
    return true
  }
}
