// Every way in which a call can be refused: a stable kind, a number, a sentence. Programs branch on `kind`;
// kinds and numbers never change meaning, sentences may be improved. Contract §5 has the BITS names.

interface RefusalEntry {
  readonly code: number
  readonly sentence: string
  readonly retryable?: boolean
}

export const refusals = {
  'parse-error': { code: -32700, sentence: 'The line is not JSON text in UTF-8.' },
  'invalid-request': { code: -32600, sentence: 'The message is not a JSON-RPC 2.0 request.' },
  'message-too-large': { code: -32600, sentence: 'A line may hold at most 1 MiB.' },
  'message-too-deep': { code: -32600, sentence: 'A message may be nested at most 64 levels deep.' },
  'method-not-found': { code: -32601, sentence: 'There is no such method.' },
  'invalid-params': { code: -32602, sentence: 'The params are not valid.' },
  'internal-error': { code: -32603, sentence: 'Something went wrong inside the service.' },
  'job-not-found': { code: 1001, sentence: 'There is no such job.' },
  'invalid-state': { code: 1002, sentence: 'The job is in a state in which this cannot be done.' },
  'empty-job': { code: 1003, sentence: 'The job has no files.' },
  'access-denied': { code: 1004, sentence: 'The caller may not do this.' },
  'too-many-jobs-on-machine': { code: 1005, sentence: 'The machine has as many unfinished jobs as it may have.' },
  'too-many-jobs-of-user': { code: 1006, sentence: 'The user has as many unfinished jobs as he may have.' },
  'too-many-files-in-job': { code: 1007, sentence: 'The job would have more files than a job may have.' },
  'too-many-ranges-in-file': { code: 1008, sentence: 'The file has more ranges than a file may have.' },
  'file-not-found': { code: 1009, sentence: 'The job has no such file.' },
  'not-supported': { code: 1010, sentence: 'This is not supported.' },
  'publish-failed': { code: 1011, sentence: 'Some files could not be given their local names.' },
  'no-error': { code: 1012, sentence: 'The job carries no error.' },
  'registration-not-found': { code: 1013, sentence: 'There is no such registration.' },
  'shutting-down': { code: 1014, sentence: 'The service is stopping.', retryable: true },
  'storage-full': { code: 1015, sentence: 'The queue cannot be written at present; nothing was changed.', retryable: true },
  'too-many-connections': { code: 1016, sentence: 'The user has as many connections as he may have.', retryable: true },
  'too-many-calls': { code: 1017, sentence: 'The user has too many calls under way.', retryable: true },
  'reply-too-large': { code: 1018, sentence: 'The answer would be too large.' },
  // Raised on the client's side only: the SDK never got an answer.
  'no-daemon': { code: 2001, sentence: 'No daemon answers.', retryable: true },
  'connection-closed': { code: 2002, sentence: 'The connection closed before the answer came.', retryable: true },
  'timeout': { code: 2003, sentence: 'No answer came in time.', retryable: true },
} as const satisfies Record<string, RefusalEntry>
export type RefusalKind = keyof typeof refusals

export interface RefusalData {
  readonly kind: string
  readonly retryable: boolean
  readonly [more: string]: unknown
}

/** A call that could not be done. The same class on both sides of the socket. */
export class Refusal extends Error {
  readonly kind: string
  readonly code: number
  readonly retryable: boolean
  /** `kind`, `retryable` and what belongs to the kind: `limit`, `state`, `issues`, `files`, `incident` … */
  readonly data: RefusalData

  constructor(kind: RefusalKind, details: Readonly<Record<string, unknown>> = {}, sentence?: string) {
    const entry: RefusalEntry = refusals[kind]
    super(sentence ?? entry.sentence)
    this.name = 'Refusal'
    this.kind = kind
    this.code = entry.code
    this.retryable = entry.retryable ?? false
    this.data = { ...details, kind, retryable: this.retryable }
  }

  /** What the other side answered, as the class that it threw. An error without a kind becomes `internal-error`. */
  static from(error: { readonly code: number; readonly message: string; readonly data?: unknown }): Refusal {
    const { kind, ...details } = typeof error.data === 'object' && error.data !== null ? { ...error.data } as Record<string, unknown> : {}
    const known = typeof kind === 'string' && Object.hasOwn(refusals, kind) ? (kind as RefusalKind) : kindOfCode(error.code)
    return new Refusal(known, { ...details, ...(typeof kind === 'string' && kind !== known ? { unknownKind: kind } : {}) }, error.message)
  }
}

function kindOfCode(code: number): RefusalKind {
  for (const kind of ['parse-error', 'invalid-request', 'method-not-found', 'invalid-params'] as const) {
    if (refusals[kind].code === code) return kind
  }
  return 'internal-error'
}

export interface Issue {
  readonly path: readonly (string | number)[]
  readonly message: string
}

export function invalidParams(issues: readonly Issue[]): Refusal {
  const first = issues[0]
  const where = first ? `${first.path.join('.') || 'params'}: ${first.message}` : undefined
  return new Refusal('invalid-params', { issues }, where && `The params are not valid: ${where}`)
}
