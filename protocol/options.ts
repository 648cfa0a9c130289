// A job's options: names and defaults are those of BITS, turned to camelCase. What a client sends may leave
// anything out; what is stored and answered is whole. Header values are secrets: an answer has the names with
// `null`, and a `null` that comes back in an update keeps the value.
import * as z from 'zod'
import { isAbsoluteOn, line, size } from './schema.ts'

const tenYearsInSeconds = 315_360_000

export const eventKinds = ['transferred', 'error', 'modification', 'file-transferred', 'file-ranges-transferred'] as const
export const eventKind = z.enum(eventKinds)
export type EventKind = z.infer<typeof eventKind>

export const completions = ['manual', 'automatic'] as const
export const conflictRules = ['replace', 'rename', 'fail'] as const

const notifyCommand = z.strictObject({
  /** Absolute; no search, no shell, no expansion (BITS §6.7). */
  program: line(1, 4095).refine((path) => isAbsoluteOn('linux', path) || isAbsoluteOn('win32', path), 'must be an absolute path'),
  /** BITS §3.3 allows 4,000 characters of parameters. */
  args: z.array(line(0, 4000)).max(100).refine((all) => all.join('').length <= 16_384, 'may hold 16,384 characters in all').default([]),
})
export type NotifyCommand = z.infer<typeof notifyCommand>

// What the transfer itself needs to decide, so a client may not say otherwise.
const ourHeaders = new Set(['range', 'if-range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'accept-encoding', 'connection', 'content-length', 'transfer-encoding',
  'te', 'trailer', 'upgrade', 'expect', 'keep-alive', 'proxy-connection'])
const headerName = z.string().min(1).max(256).regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be a header name')
  .refine((name) => !ourHeaders.has(name.toLowerCase()), 'is set by the transfer itself')
const headerValue = z.string().max(16_384).regex(/^[\t\u0020-\u007e\u0080-\u00ff]*$/, 'must not hold control characters or text beyond Latin-1')
const headers = z.record(headerName, headerValue.nullable()).refine((all) => JSON.stringify(all).length <= 16_384, 'may hold 16,384 characters in all')
  .meta({ maxProperties: 2000 })
/** As `URL` writes it (RFC 6454 §6.2), so that one text stands for one origin. */
const origin = line(1, 300).refine((text) => /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text,
  'must be an origin, like https://cdn.example.org')

const notify = {
  events: z.array(eventKind).max(eventKinds.length).transform((kinds) => [...new Set(kinds)]),
  command: notifyCommand.nullable(),
  minimumIntervalMs: z.int().min(0).max(86_400_000),
}
const http = {
  method: z.literal('GET'),
  headers,
  /** Origins that may have `headers` beside the one that the job names; others have only what is no secret. */
  sendHeadersTo: z.array(origin).max(16),
  /** `allow-report` makes the final URL the remote name; `disallow` fails with the 3xx status (BITS §8.6). */
  redirects: z.enum(['allow', 'allow-report', 'disallow']),
  /** May a redirect lead from https to http? */
  redirectToHttp: z.boolean(),
}
const plain = {
  /** From a transient error to the next attempt; less than 5 counts as 5. */
  minimumRetryDelaySeconds: z.int().min(0).max(tenYearsInSeconds).transform((seconds) => Math.max(5, seconds)),
  /** From the first transient error without a new byte until it is fatal; 0 makes every error fatal. */
  noProgressTimeoutSeconds: z.int().min(0).max(tenYearsInSeconds),
  /** Time in connecting and transferring since the last resume. */
  maximumDownloadTimeSeconds: z.int().min(1).max(tenYearsInSeconds),
  /** Of the whole job. */
  maximumDownloadBytes: size.min(1).nullable(),
  /** Connections for one file; `null`: one, and for a `foreground` job as many as help. */
  connections: z.int().min(1).max(16).nullable(),
  /** Who publishes: the owner with `job.complete`, or the service as soon as all files are here and valid. */
  completion: z.enum(completions),
  /** What becomes of a file whose local name is taken when it is published. */
  onConflict: z.enum(conflictRules),
}

const defaults = {
  minimumRetryDelaySeconds: 600,
  noProgressTimeoutSeconds: 1_209_600,
  maximumDownloadTimeSeconds: 7_776_000,
  maximumDownloadBytes: null,
  connections: null,
  completion: 'manual' as const,
  onConflict: 'replace' as const,
  notify: { events: ['transferred' as const, 'error' as const], command: null, minimumIntervalMs: 500 },
  http: { method: 'GET' as const, headers: {}, sendHeadersTo: [], redirects: 'allow' as const, redirectToHttp: false },
}

/** As stored and answered. */
export const jobOptions = z.strictObject({ ...plain, notify: z.strictObject(notify), http: z.strictObject(http) })
export type JobOptions = z.infer<typeof jobOptions>

/** As sent: anything may be left out. */
export const partialOptions = z.strictObject({
  ...plain, notify: z.strictObject(notify).partial(), http: z.strictObject(http).partial(),
}).partial()
export type PartialOptions = z.infer<typeof partialOptions>

export const defaultOptions: JobOptions = defaults

/** Lays what a client sent over what there is; a header sent as `null` keeps its value, one that was left out is gone. */
export function mergeOptions(present: JobOptions, sent: PartialOptions): JobOptions {
  const { notify: sentNotify, http: sentHttp, ...sentPlain } = sent
  const merged = { ...present, ...dropUndefined(sentPlain) }
  const kept = Object.entries(sentHttp?.headers ?? present.http.headers)
    .map(([name, value]) => [name, value ?? present.http.headers[name] ?? null] as const)
    .filter(([, value]) => value !== null)
  return {
    ...merged,
    notify: { ...present.notify, ...dropUndefined(sentNotify ?? {}) },
    http: { ...present.http, ...dropUndefined(sentHttp ?? {}), headers: Object.fromEntries(kept) },
  }
}

/** The options as an answer may show them: header names without their values. */
export function withoutSecrets(options: JobOptions): JobOptions {
  const names = Object.keys(options.http.headers)
  if (names.length === 0) return options
  return { ...options, http: { ...options.http, headers: Object.fromEntries(names.map((name) => [name, null])) } }
}

function dropUndefined<T extends object>(of: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as { [Key in keyof T]: Exclude<T[Key], undefined> }
}
