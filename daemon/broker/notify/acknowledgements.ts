// That an event was acknowledged, on its way to the disk.
import { Refusal } from '../../../protocol/refusals.ts'
import type { Log } from '../../log.ts'
import type { Queue } from '../queue.ts'
import type { DeliveredEvent } from './delivery.ts'

export class Acknowledgements {
  readonly #queue: Queue
  readonly #log: Log
  readonly #underWay = new Set<Promise<boolean>>()

  constructor(queue: Queue, log: Log) {
    this.#queue = queue
    this.#log = log
  }

  /** Answers whether it is on disk. */
  readonly take = (event: DeliveredEvent): Promise<boolean> => {
    const written = this.#write(event)
    this.#underWay.add(written)
    return written.finally(() => this.#underWay.delete(written))
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay)
  }

  async #write(event: DeliveredEvent): Promise<boolean> {
    if (!this.#queue.unacknowledgedOf(event.jobId).some(({ sequence }) => sequence === event.sequence)) return true
    try {
      await this.#queue.acknowledge(event)
      return true
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      // It is told again, when the queue can be written or the daemon runs again.
      this.#log.warn({ jobId: event.jobId, kind: event.kind, refusal: error.kind }, 'that an event was acknowledged could not be written')
      return false
    }
  }
}
