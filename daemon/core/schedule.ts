// Who should have a slot now? Foreground jobs have slots of their own; high, normal and low share the rest and are
// strict: while a job of a higher priority is ready or moving, no lower one gets a slot, and one that has a slot
// gives it back (BITS §4.2, contract rule 6). Within a priority jobs take turns by time slice.
import type { Priority } from '../../protocol/job.ts'
import type { Ready } from './ready.ts'

export interface Running {
  readonly id: string
  readonly ownerId: string
  readonly priority: Priority
  /** Its time slice is used up; it goes on only if nobody of its priority waits. */
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

const background = ['high', 'normal', 'low'] as const satisfies readonly Priority[]

export function decide(running: readonly Running[], ready: Ready, slots: Slots): Decision {
  const front = share(running.filter(({ priority }) => priority === 'foreground'), ready, 'foreground', slots.foreground)
  const level = background.find((priority) => !ready.isEmpty(priority) || running.some((job) => job.priority === priority))
  if (!level) return front
  const behind = running.filter(({ priority }) => priority !== 'foreground' && priority !== level).map(({ id }) => id)
  const back = share(running.filter(({ priority }) => priority === level), ready, level, slots.background)
  return { give: [...front.give, ...back.give], take: [...front.take, ...behind, ...back.take] }
}

function share(running: readonly Running[], ready: Ready, priority: Priority, slots: number): Decision {
  const slotsOf = new Map<string, number>()
  for (const { ownerId } of running) slotsOf.set(ownerId, (slotsOf.get(ownerId) ?? 0) + 1)
  const free = Math.max(0, slots - running.length)
  const tired = running.filter(({ sliceOver }) => sliceOver)
  const next = ready.pick(priority, free + tired.length, slotsOf)
  const rested = tired.slice(0, Math.max(0, next.length - free))
  const surplus = running.slice(slots)
  return {
    give: next.slice(0, free + rested.length).map(({ id }) => id),
    take: [...new Set([...surplus, ...rested])].map(({ id }) => id),
  }
}

/** Why a job that is ready has no slot. */
export function whyWaiting(priority: Priority, running: readonly Running[], ready: Ready): 'slot' | 'priority' {
  if (priority === 'foreground') return 'slot'
  const above = background.slice(0, background.indexOf(priority))
  return above.some((higher) => !ready.isEmpty(higher) || running.some((job) => job.priority === higher)) ? 'priority' : 'slot'
}
