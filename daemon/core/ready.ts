// The jobs that wait for a slot: by owner, within an owner by rank, within a rank first in, first out. Owners take turns:
// one who was given a slot goes behind all others, so that sixty queued jobs keep nobody waiting.
import type { Priority } from '../../protocol/job.ts'

export interface Waiting {
  readonly id: string
  readonly ownerId: string
  readonly priority: Priority
  /** It had a slot for a time slice and hardly moved. */
  readonly isSlow: boolean
}

/** Foreground jobs have slots of their own. */
export type Group = 'foreground' | 'background'

export function groupOf({ priority }: Pick<Waiting, 'priority'>): Group {
  return priority === 'foreground' ? 'foreground' : 'background'
}

const ranks = { foreground: 0, high: 0, normal: 1, low: 2 } as const satisfies Record<Priority, number>
const slowRank = 3

/** Lower goes first within an owner and a group: by priority, and what hardly moves after everything else. */
export function rankOf({ priority, isSlow }: Pick<Waiting, 'priority' | 'isSlow'>): number {
  return ranks[priority] + (isSlow ? slowRank : 0)
}

type Line = Map<string, Waiting>
type LinesByRank = Map<number, Line>

/** One owner's next jobs. */
export interface Next {
  readonly ownerId: string
  readonly rank: number
  readonly jobs: Iterable<Waiting>
}

export class Ready {
  readonly #owners: Record<Group, Map<string, LinesByRank>> = { foreground: new Map(), background: new Map() }
  readonly #all = new Map<string, Waiting>()

  get size(): number {
    return this.#all.size
  }

  has(id: string): boolean {
    return this.#all.has(id)
  }

  /** Puts a job at the end of its line; one that waits there already keeps its place. */
  add(job: Waiting): void {
    const present = this.#all.get(job.id)
    if (present && present.ownerId === job.ownerId && present.priority === job.priority && present.isSlow === job.isSlow) return
    this.remove(job.id)
    const owners = this.#owners[groupOf(job)]
    const lines = owners.get(job.ownerId) ?? new Map<number, Line>()
    const line = lines.get(rankOf(job)) ?? new Map<string, Waiting>()
    owners.set(job.ownerId, lines.set(rankOf(job), line.set(job.id, job)))
    this.#all.set(job.id, job)
  }

  remove(id: string): void {
    const job = this.#all.get(id)
    if (!job) return
    this.#all.delete(id)
    const owners = this.#owners[groupOf(job)]
    const lines = owners.get(job.ownerId)
    const line = lines?.get(rankOf(job))
    line?.delete(id)
    if (line?.size === 0) lines?.delete(rankOf(job))
    if (lines?.size === 0) owners.delete(job.ownerId)
  }

  /** The job has a slot now, and its owner has had a turn. */
  given(id: string): void {
    const job = this.#all.get(id)
    if (!job) return
    this.remove(id)
    const owners = this.#owners[groupOf(job)]
    const lines = owners.get(job.ownerId)
    if (!lines) return
    owners.delete(job.ownerId)
    owners.set(job.ownerId, lines)
  }

  /** The best rank at which the owner waits. */
  bestRank(group: Group, ownerId: string): number {
    return bestOf(this.#owners[group].get(ownerId))
  }

  /** Each owner who waits with his best line; who has waited longest for a turn comes first. */
  next(group: Group): Next[] {
    return [...this.#owners[group]].map(([ownerId, lines]) => {
      const rank = bestOf(lines)
      return { ownerId, rank, jobs: lines.get(rank)?.values() ?? [] }
    })
  }
}

function bestOf(lines: LinesByRank | undefined): number {
  return lines ? Math.min(...lines.keys()) : Infinity
}
