// When is a job given up that nobody touched and that made no progress? The days are those that the service has seen
// pass, so a wrong clock ends nothing; and after a start its owner first has a day to come back.
const dayMs = 86_400_000
/** Nothing is cancelled in the first day after a start. */
const graceMs = dayMs
const longestWarningMs = 7 * dayMs

export interface Inactivity {
  readonly limitMs: number
  readonly untouchedMs: number
  /** Since its owner was warned, or `null` where nobody was. */
  readonly warnedMs: number | null
  /** A download that only waits to be completed is not thrown away without a warning. */
  readonly needsWarning: boolean
  /** Since the start of the service. */
  readonly upMs: number
}

/** What is due now, or how long to wait for it. */
export type InactivityVerdict = 'cancel' | 'warn' | { readonly waitMs: number }

export function judgeInactivity({ limitMs, untouchedMs, warnedMs, needsWarning, upMs }: Inactivity): InactivityVerdict {
  const warningMs = Math.min(longestWarningMs, limitMs / 2)
  if (needsWarning && warnedMs === null) {
    const waitMs = limitMs - warningMs - untouchedMs
    return waitMs > 0 ? { waitMs } : 'warn'
  }
  const waitMs = Math.max(limitMs - untouchedMs, graceMs - upMs, needsWarning ? warningMs - (warnedMs ?? 0) : 0)
  return waitMs > 0 ? { waitMs } : 'cancel'
}
