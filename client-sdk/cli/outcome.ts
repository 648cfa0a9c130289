// How a verb ends: the exit codes of contract §6, and what is said on stderr. Pure but for the colour's question.
// Nothing here prints: `main.ts` does, once.
import { JobFailed } from '../download.ts'
import { Refusal } from '../../protocol/refusals.ts'
import { shortId } from './print.ts'

export const exitCodes = {
  done: 0,
  jobFailed: 1,
  usage: 2,
  noDaemon: 3,
  refused: 4,
  timedOut: 5,
  interrupted: 130,
  /** Our own; as sysexits(3) has it. */
  defect: 70,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Wrong usage that only shows once the arguments are looked at together. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A verb that was stopped by Ctrl-C; `message` says how to come back, where there is something to come back to. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  /** The job that goes on. */
  readonly jobId: string | null

  constructor(message: string, jobId: string | null = null) {
    super(message)
    this.jobId = jobId
  }
}

export interface Outcome {
  readonly exitCode: ExitCode
  /** For people, one or more lines. */
  readonly message: string
  /** For programs, behind `--json`. */
  readonly error: { readonly kind: string; readonly code: number | string | null; readonly message: string; readonly data?: unknown }
}

/** `null` for what is our own defect. */
export function outcomeOf(error: unknown): Outcome | null {
  if (error instanceof UsageError) return { exitCode: exitCodes.usage, message: error.message, error: { kind: 'usage', code: null, message: error.message } }
  if (error instanceof Interrupted) {
    return { exitCode: exitCodes.interrupted, message: error.message, error: { kind: 'interrupted', code: null, message: error.message, ...(error.jobId !== null && { data: { jobId: error.jobId } }) } }
  }
  if (error instanceof JobFailed) return ofJob(error)
  if (error instanceof Refusal) {
    return { exitCode: exitCodeOf(error), message: sentenceOf(error), error: { kind: error.kind, code: error.code, message: error.message, data: error.data } }
  }
  return null
}

function ofJob({ job, error }: JobFailed): Outcome {
  const id = shortId(job.id)
  if (!error) {
    const message = `Job ${id} was cancelled.`
    return { exitCode: exitCodes.jobFailed, message, error: { kind: 'job-cancelled', code: null, message, data: { jobId: job.id } } }
  }
  const status = error.httpStatus === null || error.message.includes(String(error.httpStatus)) ? '' : ` (HTTP status ${error.httpStatus})`
  return {
    exitCode: exitCodes.jobFailed,
    message: `Job ${id} is in error: ${error.message}${status} [${error.code}]\n`
      + `Try again: backhaul resume ${id} && backhaul wait ${id} --complete   Give it up: backhaul cancel ${id}`,
    error: { kind: 'job-error', code: error.code, message: error.message, data: { jobId: job.id, error } },
  }
}

function exitCodeOf({ kind }: Refusal): ExitCode {
  if (kind === 'no-daemon' || kind === 'connection-closed') return exitCodes.noDaemon
  return kind === 'timeout' ? exitCodes.timedOut : exitCodes.refused
}

function sentenceOf({ kind, message, data }: Refusal): string {
  if (kind === 'invalid-state' && typeof data['state'] === 'string') return `${message} It is ${data['state']}.`
  if (kind === 'internal-error' && typeof data['incident'] === 'string') return `${message} Its log has more under ${data['incident']}.`
  if (typeof data['limit'] === 'number') return `${message} The limit is ${data['limit']}.`
  return message
}
