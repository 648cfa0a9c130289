// Where a program wants to be called, and the first of its two kinds: the program's own connection. A call tells only
// whether a result came; an endpoint that does not read what it was sent is not sent more.
import type { CallbackName } from '../../../protocol/events.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import type { Connection } from '../rpc/connection.ts'

export interface Endpoint {
  readonly isEnded: boolean
  /** Resolves with true for a result, whatever it is; never rejects. */
  call(method: CallbackName, params: object, timeoutMs: number): Promise<boolean>
  /** Called once when the program cannot be called here any more; at once if that is so already. */
  onEnded(listener: () => void): void
  close(): void
}

/** With more than this unread, a call would only add to the heap. */
const largestBacklogBytes = 256 * 1024

export function connectionEndpoint(connection: Connection): Endpoint {
  return {
    get isEnded() { return connection.isClosed },
    async call(method, params, timeoutMs) {
      if (connection.isClosed || connection.backlogBytes > largestBacklogBytes) return false
      try {
        await connection.request(method, params, timeoutMs)
        return true
      } catch (error) {
        if (error instanceof Refusal) return false
        throw error
      }
    },
    onEnded: (listener) => void connection.onClosed(listener),
    // The connection is the program's; it ends it when it likes.
    close: () => {},
  }
}
