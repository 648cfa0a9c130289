// The second kind of endpoint: a unix socket (or pipe) that the program serves. The broker never opens a path of a
// client: the worker of the user who registered dials it, with that user's rights, and passes the calls on.
import { invalidParams, Refusal } from '../../../protocol/refusals.ts'
import type { Log } from '../../log.ts'
import type { WorkerLink, WorkerSource } from '../workers/worker-link.ts'
import type { Endpoint } from './endpoint.ts'
import { KeptEndpoint, type Dialled } from './kept-endpoint.ts'

const openWithinMs = 10_000
/** The worker keeps the time limit of a call; if it does not answer at all, this much later we stop waiting. */
const graceMs = 5000

export class SocketEndpoints {
  readonly #workers: WorkerSource
  readonly #log: Log
  /** What to do at the end of each connection; one listener on each worker, however many come and go. */
  readonly #ends = new WeakMap<WorkerLink, Map<number, () => void>>()
  #lastId = 0

  constructor(workers: WorkerSource, log: Log) {
    this.#workers = workers
    this.#log = log
  }

  /** @throws Refusal `invalid-params` where the path is no socket, or not the user's to connect to */
  open(userId: string, path: string): Promise<Endpoint> {
    return KeptEndpoint.open({
      dial: (onLost) => this.#dial(userId, path, onLost),
      onGivenUp: (why) => this.#log.warn({ owner: userId, path, err: why }, 'a registered socket was away for too long; its registrations end'),
    })
  }

  async #dial(userId: string, path: string, onLost: () => void): Promise<Dialled> {
    const worker = await this.#workers.workerOf(userId)
    const endpointId = ++this.#lastId
    const release = worker.hold()
    const ends = this.#endsOf(worker)
    let isOpen = false
    let isOver = false
    const end = (): void => {
      if (isOver) return
      isOver = true
      ends.delete(endpointId)
      release()
      if (isOpen) onLost()
    }
    ends.set(endpointId, end)
    try {
      const { failure } = await worker.request('endpoint.open', { endpointId, path }, openWithinMs)
      if (failure !== null) throw invalidParams([{ path: ['endpoint', 'path'], message: failure }])
      if (isOver) throw new Refusal('connection-closed')
    } catch (error) {
      end()
      throw error
    }
    isOpen = true
    return {
      async call(method, params, timeoutMs) {
        if (isOver) return false
        try {
          return (await worker.request('endpoint.call', { endpointId, method, params, timeoutMs }, timeoutMs + graceMs)).answered
        } catch (error) {
          if (error instanceof Refusal) return false
          throw error
        }
      },
      close: () => {
        isOpen = false
        if (!isOver && !worker.isClosed) worker.notify('endpoint.close', { endpointId })
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
