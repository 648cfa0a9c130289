// The results as lines of text: who, what it cost, and which goal holds.
import { ours, type GoalResult, type Result } from './workload.ts'

export function rowsOf(result: Result | undefined): string[] {
  if (!result) return []
  const contestants = Object.entries(result.medians).map(([name, sample]) => {
    const figures = Object.entries(sample).map(([figure, value]) => `${figure} ${short(value)}`)
    return `  ${name.padEnd(18)} ${figures.join('  ')}`
  })
  return [`${result.name}: ${result.title}`, ...contestants, ...result.goals.map(goalRow), '']
}

function goalRow({ figure, against, atMost, atLeast, value, met }: GoalResult): string {
  const what = against === undefined ? `${ours}: ${figure}` : `${figure} / ${against}`
  const bound = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`
  return `  ${met ? 'met    ' : 'NOT MET'} ${what.padEnd(28)} ${short(value).padStart(8)}  (${bound})`
}

function short(value: number): string {
  if (Math.abs(value) >= 1000) return value.toFixed(0)
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3)
}
