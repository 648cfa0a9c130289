// Who should have a slot now? Foreground jobs have slots of their own; high, normal and low share the rest.
// Within an owner priorities are strict: while one of his jobs of a higher priority is ready or moves, none of a lower
// one has a slot (`BG_JOB_PRIORITY`). Between owners everybody who waits gets a turn, whatever the priorities: the next
// slot goes to the owner who has the fewest. Jobs of one owner and priority take turns by time slice.
// A job that hardly moved for a time slice counts as the last of its owner, and gives its slot to whoever could move.
import { groupOf, rankOf, type Group, type Ready, type Waiting } from './ready.ts'

export interface Running extends Waiting {
  /** Its time slice is used up; it goes on only if nobody waits for its slot. */
  readonly sliceOver: boolean
}

export interface Slots {
  readonly foreground: number
  readonly background: number
}

export interface Decision {
  readonly give: readonly string[]
  readonly take: readonly string[]
}

export function decide(running: readonly Running[], ready: Ready, slots: Slots): Decision {
  const front = share('foreground', running, ready, slots.foreground)
  const back = share('background', running, ready, slots.background)
  return { give: [...front.give, ...back.give], take: [...front.take, ...back.take] }
}

function share(group: Group, all: readonly Running[], ready: Ready, slots: number): Decision {
  const running = all.filter((job) => groupOf(job) === group)
  const best = bestRanks(group, running, ready)
  const isBehind = (job: Running): boolean => rankOf(job) > (best.get(job.ownerId) ?? Infinity)
  const staying = running.filter((job) => !isBehind(job))
  const kept = staying.slice(0, slots)
  const turns = new Turns(kept, slots)
  const lines = ready.next(group)
    .filter(({ ownerId, rank }) => rank === best.get(ownerId))
    .map(({ ownerId, jobs }) => ({ ownerId, jobs: jobs[Symbol.iterator]() }))
  while (lines.length > 0) {
    const line = lines.reduce((a, b) => (turns.held(b.ownerId) < turns.held(a.ownerId) ? b : a))
    const { value, done } = line.jobs.next()
    if (done || !turns.give(value)) lines.splice(lines.indexOf(line), 1)
  }
  return { give: turns.given, take: [...running.filter(isBehind), ...staying.slice(slots), ...turns.rested].map(({ id }) => id) }
}

/** The slots of one group while they are handed out. */
class Turns {
  readonly given: string[] = []
  readonly rested: Running[] = []
  readonly #held = new Map<string, number>()
  #free: number
  /** Whose time slice is over; those that hardly move give way first. */
  readonly #tired: Running[]

  constructor(kept: readonly Running[], slots: number) {
    this.#free = slots - kept.length
    this.#tired = kept.filter(({ sliceOver }) => sliceOver).sort((a, b) => Number(b.isSlow) - Number(a.isSlow))
    for (const { ownerId } of kept) this.#hold(ownerId, 1)
  }

  held(ownerId: string): number {
    return this.#held.get(ownerId) ?? 0
  }

  /** `false`: nobody has to make room for this one. */
  give(job: Waiting): boolean {
    if (this.#free > 0) this.#free--
    else if (job.isSlow || !this.#rest(job.ownerId)) return false
    this.#hold(job.ownerId, 1)
    this.given.push(job.id)
    return true
  }

  /** Somebody gives way if he hardly moves, is of the same owner, or if his owner still has no fewer slots than the other after it. */
  #rest(ownerId: string): boolean {
    const at = this.#tired.findIndex((job) =>
      job.isSlow || job.ownerId === ownerId || this.held(ownerId) + 1 <= this.held(job.ownerId))
    const [job] = at < 0 ? [] : this.#tired.splice(at, 1)
    if (!job) return false
    this.#hold(job.ownerId, -1)
    this.rested.push(job)
    return true
  }

  #hold(ownerId: string, more: number): void {
    this.#held.set(ownerId, this.held(ownerId) + more)
  }
}

/** For each owner the best rank at which one of his jobs moves or waits. */
function bestRanks(group: Group, running: readonly Running[], ready: Ready): Map<string, number> {
  const best = new Map<string, number>()
  for (const { ownerId, rank } of ready.next(group)) best.set(ownerId, rank)
  for (const job of running) best.set(job.ownerId, Math.min(rankOf(job), best.get(job.ownerId) ?? Infinity))
  return best
}

/** Why a job that is ready has no slot. */
export function whyWaiting(job: Waiting, running: readonly Running[], ready: Ready): 'slot' | 'priority' | 'slow' {
  if (job.isSlow) return 'slow'
  const rank = rankOf(job)
  const group = groupOf(job)
  const isBehind = ready.bestRank(group, job.ownerId) < rank ||
    running.some((other) => other.ownerId === job.ownerId && groupOf(other) === group && rankOf(other) < rank)
  return isBehind ? 'priority' : 'slot'
}

/** Did the job hardly move in its time slice? `bytesPerSecond` is its rate now: one that has just got going is not slow. */
export function isSlow(at: { moved: number; sliceSeconds: number; bytesPerSecond: number; minimum: number }): boolean {
  return at.moved < at.minimum * at.sliceSeconds && at.bytesPerSecond < at.minimum
}
