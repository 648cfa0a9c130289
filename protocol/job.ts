// A job and its files as a client sees them (contract §3). An unknown value is `null`, never absent.
import * as z from 'zod'
import { errorContexts } from './failures.ts'
import { jobOptions, partialOptions } from './options.ts'
import { instant, jobId, line, localName, prose, remoteName, size } from './schema.ts'

export const jobTypes = ['download', 'upload', 'upload-reply'] as const
export const jobType = z.enum(jobTypes)
export type JobType = z.infer<typeof jobType>

export const priorities = ['foreground', 'high', 'normal', 'low'] as const
export const priority = z.enum(priorities)
export type Priority = z.infer<typeof priority>

export const jobStates = [
  'suspended', 'queued', 'connecting', 'transferring', 'transient-error', 'error', 'transferred', 'acknowledged', 'cancelled',
] as const
export const jobState = z.enum(jobStates)
export type JobState = z.infer<typeof jobState>

export const endedStates = ['acknowledged', 'cancelled'] as const satisfies readonly JobState[]
export function hasEnded(state: JobState): state is (typeof endedStates)[number] {
  return state === 'acknowledged' || state === 'cancelled'
}

const hexadecimalLength = { sha256: 64, sha512: 128, sha1: 40, md5: 32 } as const
export const checksum = z.strictObject({
  algorithm: z.enum(['sha256', 'sha512', 'sha1', 'md5']),
  /** Hexadecimal, in any case; answered in lower case. */
  value: z.string().max(128).regex(/^[0-9a-fA-F]+$/, 'must be hexadecimal').toLowerCase(),
}).refine(({ algorithm, value }) => value.length === hexadecimalLength[algorithm], { message: 'has the wrong length for its algorithm', path: ['value'] })
export type Checksum = z.infer<typeof checksum>

/** No line holds more. How many a user's file may have is configured. */
const rangesPerLine = 50_000
/** The same of files: a line holds twice as many of the shortest. */
export const filesPerCall = 10_000

/** A span of the remote file; `length: null` is "to its end". */
export const range = z.strictObject({ offset: size, length: size.min(1).nullable() })
export type Range = z.infer<typeof range>

function overlaps(ranges: readonly Range[]): boolean {
  const sorted = [...ranges].sort((a, b) => a.offset - b.offset)
  return sorted.some((next, at) => {
    const before = sorted[at - 1]
    return before !== undefined && (before.length === null || before.offset + before.length > next.offset)
  })
}

/** A file as a client names it. Ranges are fetched in the given order and joined without holes (BITS §7.7). */
export const fileSpec = z.strictObject({
  remoteName,
  localName,
  ranges: z.array(range).min(1).max(rangesPerLine).refine((all) => !overlaps(all), 'must not overlap').nullable().optional(),
  checksum: checksum.nullable().optional(),
})
export type FileSpec = z.infer<typeof fileSpec>
export type FileSpecSent = z.input<typeof fileSpec>

export const validation = z.enum(['none', 'valid', 'invalid'])
export type Validation = z.infer<typeof validation>

export const file = z.object({
  index: size,
  remoteName: z.string(),
  localName: z.string(),
  progress: z.object({
    /** `null` while the length is unknown. */
    bytesTotal: size.nullable(),
    bytesTransferred: size,
    /** True once the file lies under its local name. */
    completed: z.boolean(),
  }),
  ranges: z.array(range).nullable(),
  checksum: z.object({ algorithm: z.string(), value: z.string() }).nullable(),
  validation,
  /** The partial file beside the local name, while there is one. */
  temporaryName: z.string().nullable(),
})
export type File = z.infer<typeof file>

export const jobError = z.object({
  context: z.enum(errorContexts),
  code: z.string(),
  message: z.string(),
  fileIndex: size.nullable(),
  httpStatus: z.int().nullable(),
  at: instant,
  fatal: z.boolean(),
  /** When the next attempt comes, for a transient error. */
  retryAt: instant.nullable(),
})
export type JobError = z.infer<typeof jobError>

export const reason = z.object({ reason: z.string(), until: instant.nullable(), detail: z.string().nullable() })
/** Why a job is not moving: `suspended`, `no-files`, `slot`, `priority`, `retry-delay`, `error`, `transferred`, `ended`, … */
export type Reason = z.infer<typeof reason>

export const owner = z.object({ id: z.string(), name: z.string() })
export type Owner = z.infer<typeof owner>

export const job = z.object({
  id: jobId,
  type: jobType,
  displayName: z.string(),
  description: z.string(),
  application: z.string().nullable(),
  /** `id` is the uid in decimal, the SID on Windows. */
  owner,
  state: jobState,
  priority,
  createdAt: instant,
  modifiedAt: instant,
  transferredAt: instant.nullable(),
  endedAt: instant.nullable(),
  progress: z.object({
    bytesTotal: size.nullable(),
    bytesTransferred: size,
    filesTotal: size,
    filesTransferred: size,
    bytesPerSecond: size,
  }),
  error: jobError.nullable(),
  errorCount: size,
  waiting: reason.nullable(),
  options: jobOptions,
})
export type Job = z.infer<typeof job>

/** What a client may set on a job, at creation and later. */
export const displayName = line(1, 256)
export const description = prose(1024)
export const application = line(1, 256)
export const jobSettings = z.strictObject({
  displayName, description, application: application.nullable(), priority, options: partialOptions,
}).partial()
export type JobSettings = z.infer<typeof jobSettings>
