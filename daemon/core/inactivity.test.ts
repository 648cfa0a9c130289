import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeInactivity, type Inactivity, type InactivityVerdict } from './inactivity.ts'

const day = 86_400_000
const base: Inactivity = { limitMs: 90 * day, untouchedMs: 0, warnedMs: null, needsWarning: false, upMs: 50 * day }

const rows: readonly [string, Partial<Inactivity>, InactivityVerdict][] = [
  ['a job that was just touched', {}, { waitMs: 90 * day }],
  ['a job of 89 days', { untouchedMs: 89 * day }, { waitMs: day }],
  ['a job of 90 days', { untouchedMs: 90 * day }, 'cancel'],
  ['a job of 90 days, an hour after the start', { untouchedMs: 90 * day, upMs: day / 24 }, { waitMs: day - day / 24 }],
  ['a finished download of 82 days', { needsWarning: true, untouchedMs: 82 * day }, { waitMs: day }],
  ['a finished download of 83 days', { needsWarning: true, untouchedMs: 83 * day }, 'warn'],
  ['a finished download that was never warned about', { needsWarning: true, untouchedMs: 900 * day }, 'warn'],
  ['one that was warned about on time', { needsWarning: true, untouchedMs: 89 * day, warnedMs: 6 * day }, { waitMs: day }],
  ['one that was warned about late', { needsWarning: true, untouchedMs: 95 * day, warnedMs: day }, { waitMs: 6 * day }],
  ['one whose warning is over', { needsWarning: true, untouchedMs: 90 * day, warnedMs: 7 * day }, 'cancel'],
  ['one whose warning is over, just after a start', { needsWarning: true, untouchedMs: 90 * day, warnedMs: 7 * day, upMs: 0 }, { waitMs: day }],
  ['a limit of a day leaves half of it for the warning', { limitMs: day, needsWarning: true, untouchedMs: day / 2 }, 'warn'],
]

for (const [name, given, verdict] of rows) {
  test(name, () => assert.deepEqual(judgeInactivity({ ...base, ...given }), verdict))
}
