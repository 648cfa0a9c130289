// What broker and worker say to each other over the link: one JSON-RPC message per line, declared once.
// The broker gives orders; a worker, which runs as the owner and is as untrusted as he is, reports. What a
// worker sends is checked on arrival with these schemas and by `phases.ts`; anything else ends the worker.
import * as z from 'zod'
import { mostCopies } from './copy-name.ts'
import type { OwnerRules } from './policy-rules.ts'
import { failureContexts, type FailureCode } from '../../protocol/failures.ts'

const size = z.int().nonnegative()
const transferId = z.int().positive()

/** What proves that the remote file is still the same one (contract, rule 4). */
export const validatorSchema = z.strictObject({
  etag: z.string().max(4096).nullable(),
  lastModified: z.string().max(128).nullable(),
})
export type Validator = z.infer<typeof validatorSchema>

/**
 * Where a file may go on. The broker stores it as it came and hands it back; only the worker reads it.
 * `durable` are the spans of the partial file known to be flushed, as [from, to) pairs in ascending order.
 * `inode` (number and, where it is known, time of birth) lets a worker tell a file that it already published from an older one of the same name.
 * `place` says on which file system and in which folder the partial file was, and in which run of the machine; left out of files that are done.
 * `written`: where bytes do not come one after the other, what was written, flushed or not.
 */
export const resumePointSchema = z.strictObject({
  inode: z.string().max(64),
  bytesTotal: size.nullable(),
  durable: z.array(z.tuple([size, size])).max(256),
  validator: validatorSchema.nullable(),
  /** The server's Last-Modified, which the published file gets as its modification time. */
  modifiedAt: z.int().nullable(),
  /** The last answer was a whole file without a validator, and was not taken; one that comes again is. */
  doubted: z.literal(true).optional(),
  /** The server ends the connection of a file when another one is opened: one at a time it shall be. */
  oneConnection: z.literal(true).optional(),
  place: z.strictObject({
    boot: z.string().max(64), device: z.string().max(24), folder: z.string().max(64),
    written: z.array(z.tuple([size, size])).max(256).optional(),
  }).optional(),
})
export type ResumePoint = z.infer<typeof resumePointSchema>

export const failureSchema = z.strictObject({
  code: z.enum(Object.keys(failureContexts) as [FailureCode, ...FailureCode[]]),
  message: z.string().max(2000),
  httpStatus: z.int().min(0).max(999).nullable(),
  retryAfterMs: z.int().nonnegative().nullable(),
})

/** The partial file lies beside the local name; its name is the broker's choice, so that it is known before it exists. */
export interface LocalFile {
  readonly localName: string
  /** A file name without folder, `BH….tmp`. */
  readonly temporaryName: string
  /** There for a job that was taken over: whoever else must have been able to write the file, and nobody's link is followed. */
  readonly former?: readonly { readonly uid: number; readonly groups: readonly number[] }[] | undefined
  readonly resumePoint: ResumePoint | null
  /** What publishing does where the local name is taken; left out: it replaces. */
  readonly onConflict?: 'replace' | 'rename' | 'fail'
}

export interface TransferOrder extends LocalFile {
  readonly transferId: number
  readonly remoteName: string
  readonly checksum: { readonly algorithm: 'sha256' | 'sha512' | 'sha1' | 'md5'; readonly value: string } | null
  readonly ranges: readonly { readonly offset: number; readonly length: number | null }[] | null
  readonly http: {
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly redirects: 'allow' | 'allow-report' | 'disallow'
    readonly redirectToHttp: boolean
    /** The origin that the job named, where a report has put another into the remote name since. */
    readonly home?: string | undefined
    /** Origins that may have the job's headers beside that one. */
    readonly sendHeadersTo?: readonly string[] | undefined
    /** Patterns of the owner's policy, which the worker fills in itself. */
    readonly remoteNames?: readonly string[] | null
  }
  readonly localFolders?: readonly string[] | null
  /** More bytes than this for one file is fatal, `maximum-download-bytes`. */
  readonly maximumBytes: number | null
  /** Connections for one file: a number, or `null` for automatic. */
  readonly connections: number | null
}

/** Broker → worker. Orders without a result are notifications; the rest are requests. */
export interface Orders {
  'worker.configure': { params: { certificateAuthorities: readonly string[]; logLevel: string; policies?: readonly OwnerRules[] }; result: void }
  'transfer.start': { params: TransferOrder; result: void }
  /** Flush what is there, report it, stop. Answered by the report `transfer.stopped` (or whatever ended it first). */
  'transfer.stop': { params: { transferId: number }; result: void }
  /**
   * Give finished partial files their local names: rename in order, then flush each folder once. Repeatable. `copies`, there where one is not 0,
   * say which name of `copyName` each has.
   */
  'files.publish': { params: { files: readonly LocalFile[] }; result: { failures: (Failures | null)[]; copies?: number[] | undefined } }
  /** Remove partial files. A file that is not there is no failure. */
  'files.remove': { params: { files: readonly LocalFile[] }; result: { failures: (Failures | null)[] } }
  /** May this user read, replace and remove these partial files and write their folders? (BITS §9.4) */
  'files.probe': { params: { files: readonly LocalFile[] }; result: { failures: (Failures | null)[] } }
  /** Connect to a unix socket (or pipe) that a program of the owner serves. */
  'endpoint.open': { params: { endpointId: number; path: string }; result: { failure: string | null } }
  /** Call the program behind it. `answered` is false when it answered with an error, not in time, or is gone. */
  'endpoint.call': { params: { endpointId: number; method: string; params: unknown; timeoutMs: number }; result: { answered: boolean; message: string | null } }
  'endpoint.close': { params: { endpointId: number }; result: void }
  /** Run the owner's program for an event, without a shell. `exitCode` null: not started, or ended by a signal or by time. */
  'command.run': { params: { commandId: number; program: string; args: readonly string[]; environment: Readonly<Record<string, string>>; timeoutMs: number }; result: { exitCode: number | null; message: string | null } }
  /** End a program that still runs, with all that it started. */
  'command.end': { params: { commandId: number }; result: void }
}
type Failures = z.infer<typeof failureSchema>

const failures = z.strictObject({ failures: z.array(failureSchema.nullable()).max(100_000) })
const sentence = z.string().max(2000).nullable()

/** What a worker answers to an order is checked like what it reports. */
export const answers = {
  'files.publish': failures.extend({ copies: z.array(z.int().min(0).max(mostCopies)).max(100_000).optional() }),
  'files.remove': failures,
  'files.probe': failures,
  'endpoint.open': z.strictObject({ failure: sentence }),
  'endpoint.call': z.strictObject({ answered: z.boolean(), message: sentence }),
  'command.run': z.strictObject({ exitCode: z.int().nullable(), message: sentence }),
} as const satisfies { readonly [Name in keyof Orders as Orders[Name]['result'] extends void ? never : Name]: z.ZodType<Orders[Name]['result']> }

/** Worker → broker: notifications only. */
export const reports = {
  'worker.ready': z.strictObject({ uid: z.int(), pid: z.int() }),
  /** The head of the answer is in and judged: bytes will follow from `resumePoint.durable` on (empty: from the start). Left out where all are here at once. */
  'transfer.connected': z.strictObject({ transferId, resumePoint: resumePointSchema, remoteName: z.string().max(8192).nullable() }),
  /** Bytes of the file here now, flushed or not. For showing, at most a few times a second. */
  'transfer.progress': z.strictObject({ transferId, bytesTransferred: size }),
  /** The partial file was flushed up to here. */
  'transfer.checkpoint': z.strictObject({ transferId, resumePoint: resumePointSchema }),
  /** Every byte is here, but not flushed yet: the next file may start. */
  'transfer.received': z.strictObject({ transferId, bytesTotal: size }),
  /** Complete, verified, flushed and closed. */
  'transfer.done': z.strictObject({ transferId, resumePoint: resumePointSchema }),
  'transfer.failed': z.strictObject({ transferId, failure: failureSchema, resumePoint: resumePointSchema.nullable() }),
  'transfer.stopped': z.strictObject({ transferId, resumePoint: resumePointSchema.nullable() }),
  'endpoint.closed': z.strictObject({ endpointId: z.int().positive() }),
} as const
export type Reports = { [Name in keyof typeof reports]: z.infer<(typeof reports)[Name]> }
export type ReportName = keyof Reports
