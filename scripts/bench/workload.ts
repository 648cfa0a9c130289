// What a workload is: contestants that run in turn, and goals for what comes out. Ratios are taken inside a round and then
// their median, since the machine may be faster in one round than in the next.
import type { Daemon } from './daemon.ts'
import type { Sample } from './measure.ts'
import type { Origin } from './origin.ts'

export interface Contestant {
  readonly name: string
  /** Runs once, from nothing, and cleans up outside of what it measures. */
  readonly run: () => Promise<Sample>
}

/** `against`: the ratio of our figure to theirs; without it the figure itself. */
export interface Goal {
  readonly figure: string
  readonly against?: string
  readonly atMost?: number
  readonly atLeast?: number
}

/** What a workload finds when it starts. */
export interface Bench {
  readonly origin: Origin
  /** Where the compiled daemon lies. */
  readonly build: string
  /** A daemon of its own for this workload, started, and closed with it. */
  readonly daemon: () => Promise<Daemon>
  /** Empty folders, on a disk and in memory, removed with the workload. */
  readonly onDisk: () => string
  readonly inMemory: () => string
  /** Run when the workload is over. */
  readonly atEnd: (act: () => Promise<void> | void) => void
  /** 1: the full sizes. */
  readonly scale: number
}

export interface Workload {
  readonly name: string
  readonly title: string
  readonly goals: readonly Goal[]
  readonly contestants: (bench: Bench) => Promise<readonly Contestant[]>
}

export const ours = 'backhaul'

export interface GoalResult extends Goal {
  readonly value: number
  readonly met: boolean
}

export interface Result {
  readonly name: string
  readonly title: string
  readonly rounds: readonly Readonly<Record<string, Sample>>[]
  readonly medians: Readonly<Record<string, Sample>>
  readonly goals: readonly GoalResult[]
}

/** One round to warm up, then as many as are counted, in each every contestant once. */
export async function measure(workload: Workload, bench: Bench, count: number): Promise<Result> {
  const contestants = await workload.contestants(bench)
  const rounds: Record<string, Sample>[] = []
  for (let round = 0; round <= count; round++) {
    const samples: Record<string, Sample> = {}
    for (const { name, run } of inTurn(contestants, round)) samples[name] = await run()
    if (round > 0) rounds.push(samples)
  }
  const medians = Object.fromEntries(contestants.map(({ name }) => [name, medianOf(rounds.map((samples) => samples[name] ?? {}))]))
  return { name: workload.name, title: workload.title, rounds, medians, goals: workload.goals.map((goal) => judge(goal, rounds)) }
}

/**
 * In each round somebody else begins, and every other round goes backwards: what the one before did to the disk is the next one's
 * luck. Where freed blocks are given back to a host, 1 GiB took from 0.6 to 2.7 seconds by that alone.
 */
function inTurn(contestants: readonly Contestant[], round: number): readonly Contestant[] {
  const rotated = contestants.map((_, at) => contestants[(at + round) % contestants.length]).filter((each) => each !== undefined)
  return round % 2 === 0 ? rotated : rotated.reverse()
}

function judge(goal: Goal, rounds: Result['rounds']): GoalResult {
  const { figure, against, atMost = Infinity, atLeast = -Infinity } = goal
  const value = median(rounds.map((samples) => {
    const own = samples[ours]?.[figure] ?? NaN
    return against === undefined ? own : own / (samples[against]?.[figure] ?? NaN)
  }))
  return { ...goal, value, met: value <= atMost && value >= atLeast }
}

function medianOf(samples: readonly Sample[]): Sample {
  const figures = Object.keys(samples[0] ?? {})
  return Object.fromEntries(figures.map((figure) => [figure, median(samples.map((sample) => sample[figure] ?? NaN))]))
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] ?? NaN : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}
