// The second kind of endpoint: a unix socket (or pipe) that the program serves. The broker never opens a path of a
// client: the worker of the user who registered dials it, with his rights, and passes the calls on. The endpoint ends
// when the program closes the socket, or with the worker.
import { invalidParams, Refusal } from '../../../protocol/refusals.ts'
import type { WorkerLink, WorkerSource } from '../workers/worker-link.ts'
import type { Endpoint } from './endpoint.ts'

const openWithinMs = 10_000
/** The worker keeps the time limit of a call; if it does not answer at all, this much later we stop waiting. */
const graceMs = 5000

export class SocketEndpoints {
  readonly #workers: WorkerSource
  /** What to do at the end of each endpoint; one listener on each worker, however many endpoints come and go. */
  readonly #ends = new WeakMap<WorkerLink, Map<number, () => void>>()
  #lastId = 0

  constructor(workers: WorkerSource) {
    this.#workers = workers
  }

  /** @throws Refusal `invalid-params` where the path is no socket, or not the user's to connect to */
  async open(userId: string, path: string): Promise<Endpoint> {
    const worker = await this.#workers.workerOf(userId)
    const endpointId = ++this.#lastId
    const release = worker.hold()
    const ends = this.#endsOf(worker)
    let isEnded = false
    let onEnded: () => void = () => {}
    const end = (): void => {
      if (isEnded) return
      isEnded = true
      ends.delete(endpointId)
      release()
      onEnded()
    }
    ends.set(endpointId, end)
    try {
      const { failure } = await worker.request('endpoint.open', { endpointId, path }, openWithinMs)
      if (failure !== null) throw invalidParams([{ path: ['endpoint', 'path'], message: failure }])
    } catch (error) {
      end()
      throw error
    }
    return {
      get isEnded() { return isEnded },
      async call(method, params, timeoutMs) {
        if (isEnded) return false
        try {
          return (await worker.request('endpoint.call', { endpointId, method, params, timeoutMs }, timeoutMs + graceMs)).answered
        } catch (error) {
          if (error instanceof Refusal) return false
          throw error
        }
      },
      onEnded: (listener) => {
        onEnded = listener
        if (isEnded) listener()
      },
      close: () => {
        if (!isEnded && !worker.isClosed) worker.notify('endpoint.close', { endpointId })
        end()
      },
    }
  }

  #endsOf(worker: WorkerLink): Map<number, () => void> {
    const present = this.#ends.get(worker)
    if (present) return present
    const ends = new Map<number, () => void>()
    this.#ends.set(worker, ends)
    worker.onReport('endpoint.closed', ({ endpointId }) => ends.get(endpointId)?.())
    worker.onClosed(() => {
      for (const end of [...ends.values()]) end()
    })
    return ends
  }
}
