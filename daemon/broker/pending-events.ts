// The stored events that nobody has acknowledged, by job, in the order of their sequence.
import { isDelivered, type StoredEvent } from '../core/event.ts'

export class PendingEvents {
  readonly #byJob = new Map<string, readonly StoredEvent[]>()

  of(jobId: string): readonly StoredEvent[] {
    return this.#byJob.get(jobId) ?? []
  }

  add(event: StoredEvent): void {
    if (isDelivered(event.kind)) this.#byJob.set(event.jobId, [...this.of(event.jobId), event])
  }

  remove(jobId: string, over: readonly StoredEvent[]): void {
    if (over.length === 0) return
    const sequences = new Set(over.map(({ sequence }) => sequence))
    const left = this.of(jobId).filter(({ sequence }) => !sequences.has(sequence))
    if (left.length > 0) this.#byJob.set(jobId, left)
    else this.#byJob.delete(jobId)
  }

  forget(jobId: string): void {
    this.#byJob.delete(jobId)
  }

  /** The jobs of which an event is asked for. */
  jobs(isWanted: (event: StoredEvent) => boolean): string[] {
    return [...this.#byJob].filter(([, events]) => events.some(isWanted)).map(([id]) => id)
  }
}
