// Is a failure transient or fatal, and when is the next attempt? The only place that decides it (BITS §5.4, §5.5;
// contract rule 5). Workers never retry; nothing else in the program looks at codes to decide it.
import { failureContexts, type Failure, type FailureCode } from '../../protocol/failures.ts'
import type { JobError } from '../../protocol/job.ts'
import type { JobOptions } from '../../protocol/options.ts'

type Class = 'transient' | 'fatal' | 'by-status'

export const classOfFailure = {
  'access-denied': 'fatal',
  'folder-not-found': 'fatal',
  'disk-full': 'fatal',
  'quota-exceeded': 'fatal',
  'name-too-long': 'fatal',
  'read-only-file-system': 'fatal',
  'not-a-regular-file': 'fatal',
  'file-too-large': 'fatal',
  // The descriptors of this process, not the owner's disk: it passes when other transfers end.
  'too-many-open-files': 'transient',
  'local-file-changed': 'fatal',
  // The drive must come back, and somebody must say so.
  'volume-changed': 'fatal',
  'local-file-exists': 'fatal',
  'local-file-error': 'fatal',
  'http-error': 'by-status',
  'invalid-remote-name': 'fatal',
  'invalid-server-response': 'transient',
  'unsupported-protocol': 'fatal',
  'insufficient-range-support': 'fatal',
  'invalid-range': 'fatal',
  'too-many-redirects': 'fatal',
  'redirect-refused': 'fatal',
  'maximum-download-bytes': 'fatal',
  'checksum-mismatch': 'fatal',
  'validation-failed': 'fatal',
  'name-not-resolved': 'transient',
  'cannot-connect': 'transient',
  'connection-closed': 'transient',
  'connection-timeout': 'transient',
  'certificate-invalid': 'fatal',
  'tls-failure': 'transient',
  'worker-lost': 'transient',
  'worker-unavailable': 'transient',
  'no-progress': 'fatal',
  'maximum-download-time': 'fatal',
  'blocked-by-policy': 'fatal',
  'internal-error': 'transient',
} as const satisfies Record<FailureCode, Class>

/** 408, 409, 425, 429, 449 and 5xx pass by themselves, but 501 and 505 do not; every other 3xx and 4xx needs somebody to act. */
export function isTransientStatus(status: number): boolean {
  if (status >= 500) return status !== 501 && status !== 505
  if (status >= 400) return status === 408 || status === 409 || status === 425 || status === 429 || status === 449
  return status < 300
}

export function isTransient(failure: Failure): boolean {
  const found = classOfFailure[failure.code]
  return found === 'by-status' ? isTransientStatus(failure.httpStatus ?? 0) : found === 'transient'
}

const ownFaults: ReadonlySet<FailureCode> = new Set(['worker-lost', 'worker-unavailable', 'internal-error'])
const firstOwnDelayMs = 2000
const longestOwnDelayMs = 600_000

/** The service failed, not what it was asked for: that nobody else is there to be spared is a reason to try again soon. */
export function isOwnFault(code: FailureCode): boolean {
  return ownFaults.has(code)
}

/** `count`: how many in a row. */
function ownDelayMs(count: number, options: JobOptions): number {
  const longest = Math.max(longestOwnDelayMs, options.minimumRetryDelaySeconds * 1000)
  return Math.min(firstOwnDelayMs * 4 ** Math.max(0, count - 1), longest)
}

export interface Verdict {
  readonly error: JobError
  /** When the no-progress timeout began to count; `null` for a fatal error. */
  readonly troubledSince: number | null
  /** From now to the next attempt; `null` where there is none. */
  readonly retryInMs: number | null
}

/** What a failure means for a job: an error to keep, and a delay where it may be tried again. */
export function judgeFailure(at: {
  readonly failure: Failure
  readonly fileIndex: number | null
  readonly options: JobOptions
  /** The start of the trouble that is going on, or `null` when bytes came since. */
  readonly troubledSince: number | null
  /** How long that trouble has lasted, on the monotonic clock. */
  readonly troubledForMs: number
  readonly now: number
  /** The same instant in the time that the service has seen pass. */
  readonly served: number
  /** How many failures in a row are our own, this one included. */
  readonly ownFaults: number
}): Verdict {
  const { failure, options, now } = at
  const delayMs = isOwnFault(failure.code)
    ? ownDelayMs(at.ownFaults, options) : Math.max(options.minimumRetryDelaySeconds * 1000, failure.retryAfterMs ?? 0)
  const timeoutMs = options.noProgressTimeoutSeconds * 1000
  const mayRetry = isTransient(failure) && options.minimumRetryDelaySeconds <= options.noProgressTimeoutSeconds && timeoutMs > 0
  if (!mayRetry) return { error: errorOf(failure, at.fileIndex, now, null), troubledSince: null, retryInMs: null }
  if (at.troubledForMs >= timeoutMs) {
    const stuck = { ...failure, code: 'no-progress' as const, message: `No byte came within the no-progress timeout. The last failure: ${failure.message}` }
    return { error: errorOf(stuck, at.fileIndex, now, null), troubledSince: null, retryInMs: null }
  }
  // A longer Retry-After may lie beyond the no-progress timeout, which then ends the waiting; no attempt comes earlier.
  return { error: errorOf(failure, at.fileIndex, now, now + delayMs), troubledSince: at.troubledSince ?? at.served, retryInMs: delayMs }
}

function errorOf(failure: Failure, fileIndex: number | null, now: number, retryAt: number | null): JobError {
  return {
    context: failureContexts[failure.code], code: failure.code, message: failure.message,
    fileIndex, httpStatus: failure.httpStatus, at: now, fatal: retryAt === null, retryAt,
  }
}
