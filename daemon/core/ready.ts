// The jobs that wait for a slot: by priority, within it by owner, within him first in, first out. Owners take turns,
// so that one who queues sixty jobs does not keep the others waiting.
import type { Priority } from '../../protocol/job.ts'

export interface Waiting {
  readonly id: string
  readonly ownerId: string
  readonly priority: Priority
}

type Lines = Map<string, Map<string, Waiting>>

export class Ready {
  readonly #lines: Record<Priority, Lines> = { foreground: new Map(), high: new Map(), normal: new Map(), low: new Map() }
  readonly #all = new Map<string, Waiting>()

  get size(): number {
    return this.#all.size
  }

  has(id: string): boolean {
    return this.#all.has(id)
  }

  /** Puts a job at the end of its owner's line; one that waits already keeps its place. */
  add(job: Waiting): void {
    const present = this.#all.get(job.id)
    if (present && present.priority === job.priority && present.ownerId === job.ownerId) return
    this.remove(job.id)
    const lines = this.#lines[job.priority]
    const line = lines.get(job.ownerId) ?? new Map<string, Waiting>()
    lines.set(job.ownerId, line.set(job.id, job))
    this.#all.set(job.id, job)
  }

  remove(id: string): void {
    const job = this.#all.get(id)
    if (!job) return
    this.#all.delete(id)
    const lines = this.#lines[job.priority]
    const line = lines.get(job.ownerId)
    line?.delete(id)
    if (line?.size === 0) lines.delete(job.ownerId)
  }

  isEmpty(priority: Priority): boolean {
    return this.#lines[priority].size === 0
  }

  /** The next `count` jobs of a priority: always from the owner who has the fewest slots, those just picked included. */
  pick(priority: Priority, count: number, slotsOf: ReadonlyMap<string, number>): Waiting[] {
    const held = new Map(slotsOf)
    const lines = [...this.#lines[priority]].map(([ownerId, line]) => ({ ownerId, next: line.values() }))
    const picked: Waiting[] = []
    while (picked.length < count && lines.length > 0) {
      const least = lines.reduce((a, b) => ((held.get(b.ownerId) ?? 0) < (held.get(a.ownerId) ?? 0) ? b : a))
      const { value, done } = least.next.next()
      if (done) lines.splice(lines.indexOf(least), 1)
      else {
        picked.push(value)
        held.set(least.ownerId, (held.get(least.ownerId) ?? 0) + 1)
      }
    }
    return picked
  }
}
