// Counts what the platform's runner reports. Suites are not tests; a test that failed only because one inside it did is not
// counted twice; to-dos count as skipped. The runner reports a whole file as if it were a test, when it broke or holds none.
// Invariant: whatever the runner calls failed makes `failed` or `complaints` non-empty.
import type { EventEmitter } from 'node:events'
import { relative } from 'node:path'

export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
  readonly complaints: readonly string[]
}

interface Report {
  readonly name: string
  readonly skip?: string | boolean
  readonly todo?: string | boolean
  readonly details: { readonly type?: string; readonly error?: { readonly failureType?: string } }
}

/** Listens to the `events` of one file from now on; the answer, asked for at the end, is the tally. */
export function countTests(events: EventEmitter, file: string): () => Tally {
  let passed = 0
  let failed = 0
  let reportedFailures = 0
  const skipped: { name: string; reason: string }[] = []
  let isEmpty = true

  events.on('test:pass', (report: Report) => {
    if (relative(process.cwd(), report.name) === file) return
    isEmpty = false
    if (report.details.type === 'suite') return
    const left = report.skip ?? report.todo
    if (left === undefined || left === false) passed += 1
    else skipped.push({ name: report.name, reason: typeof left === 'string' && left !== '' ? left : 'no reason given' })
  })
  events.on('test:fail', (report: Report) => {
    reportedFailures += 1
    isEmpty = false
    if (report.details.error?.failureType !== 'subtestsFailed') failed += 1
  })
  return () => {
    const complaints = isEmpty ? [`${file} holds no test`] : []
    if (reportedFailures > 0 && failed === 0) complaints.push(`the runner reports a failure in ${file}`)
    return { passed, failed, skipped, complaints }
  }
}

export function sum(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((total, { passed }) => total + passed, 0),
    failed: tallies.reduce((total, { failed }) => total + failed, 0),
    skipped: tallies.flatMap(({ skipped }) => skipped),
    complaints: tallies.flatMap(({ complaints }) => complaints),
  }
}
