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
  readonly file?: string
  readonly skip?: string | boolean
  readonly todo?: string | boolean
  readonly details: { readonly type?: string; readonly error?: { readonly failureType?: string } }
}

/** Listens to `events` from now on; the answer, asked for at the end, is the tally. `files` are relative to the working folder. */
export function countTests(events: EventEmitter, files: readonly string[]): () => Tally {
  let passed = 0
  let failed = 0
  let reportedFailures = 0
  const skipped: { name: string; reason: string }[] = []
  const seen = new Set<string>()

  const isFile = (report: Report): boolean => files.includes(relative(process.cwd(), report.name)) || files.includes(report.name)
  const note = (report: Report): void => {
    if (report.file !== undefined) seen.add(relative(process.cwd(), report.file))
  }
  events.on('test:pass', (report: Report) => {
    if (isFile(report)) return
    note(report)
    if (report.details.type === 'suite') return
    const left = report.skip ?? report.todo
    if (left === undefined || left === false) passed += 1
    else skipped.push({ name: report.name, reason: typeof left === 'string' && left !== '' ? left : 'no reason given' })
  })
  events.on('test:fail', (report: Report) => {
    reportedFailures += 1
    note(report)
    if (report.details.error?.failureType !== 'subtestsFailed') failed += 1
  })
  return () => {
    const empty = files.filter((file) => !seen.has(file)).map((file) => `${file} holds no test`)
    const untold = reportedFailures > 0 && failed === 0 ? ['the runner reports a failure'] : []
    return { passed, failed, skipped, complaints: [...empty, ...untold] }
  }
}
