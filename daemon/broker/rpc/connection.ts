// One caller's connection, as the methods see it: who he is by the kernel's word, and the way back to him.
import type { Caller } from '../../core/access.ts'

export interface Connection {
  /** Tells connections apart; never told to clients. */
  readonly id: number
  readonly caller: Caller
  readonly isClosed: boolean
  /** Bytes that wait to be written to him. */
  readonly backlogBytes: number
  /** Calls a method of the client. Rejects with a `Refusal`: his error, `timeout`, or `connection-closed`. */
  request(method: string, params: unknown, timeoutMs: number): Promise<unknown>
  notify(method: string, params: unknown): void
  /** Called once when the connection has ended; at once if it already has. The result takes the listener off. */
  onClosed(listener: () => void): () => void
}
