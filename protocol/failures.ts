// Why a transfer could not be done. A failure is a value, never an exception: it is made where the
// trouble is noticed (in a worker, or in the broker for a lost worker or missing progress) and kept on
// the job. Whether it is transient or fatal is decided in one place only, `daemon/core/retry.ts`.

/** Where a failure arose (BITS §11.3). */
export const errorContexts = [
  'local-file', 'remote-file', 'transport', 'remote-application', 'queue-manager', 'notification', 'unknown',
] as const
export type ErrorContext = (typeof errorContexts)[number]

/** Every failure code, with the context it arises in. Codes never change meaning; sentences may improve. */
export const failureContexts = {
  // local-file: what the owner's disk and folders answered
  'access-denied': 'local-file',
  'folder-not-found': 'local-file',
  'disk-full': 'local-file',
  'quota-exceeded': 'local-file',
  'name-too-long': 'local-file',
  'read-only-file-system': 'local-file',
  'not-a-regular-file': 'local-file',
  'file-too-large': 'local-file',
  'too-many-open-files': 'local-file',
  'local-file-changed': 'local-file',
  'volume-changed': 'local-file',
  'local-file-exists': 'local-file',
  'local-file-error': 'local-file',
  // remote-file: what the server said about the file
  'http-error': 'remote-file',
  'invalid-remote-name': 'remote-file',
  'invalid-server-response': 'remote-file',
  'unsupported-protocol': 'remote-file',
  'insufficient-range-support': 'remote-file',
  'invalid-range': 'remote-file',
  'too-many-redirects': 'remote-file',
  'redirect-refused': 'remote-file',
  'maximum-download-bytes': 'remote-file',
  'checksum-mismatch': 'remote-file',
  'validation-failed': 'remote-file',
  // transport: the way to the server
  'name-not-resolved': 'transport',
  'cannot-connect': 'transport',
  'connection-closed': 'transport',
  'connection-timeout': 'transport',
  'certificate-invalid': 'transport',
  'tls-failure': 'transport',
  // queue-manager: the service itself
  'worker-lost': 'queue-manager',
  'worker-unavailable': 'queue-manager',
  'no-progress': 'queue-manager',
  'maximum-download-time': 'queue-manager',
  'blocked-by-policy': 'queue-manager',
  'internal-error': 'unknown',
} as const satisfies Record<string, ErrorContext>
export type FailureCode = keyof typeof failureContexts

/** A transfer that could not be done. `message` is one sentence for people, without secrets or query strings. */
export interface Failure {
  readonly code: FailureCode
  readonly message: string
  /** The status of the answer that caused it, where there was one. */
  readonly httpStatus: number | null
  /** What the server asked us to wait, in milliseconds from now (`Retry-After`, RFC 9110 §10.2.3). */
  readonly retryAfterMs: number | null
}

export function failure(code: FailureCode, message: string, more: Partial<Pick<Failure, 'httpStatus' | 'retryAfterMs'>> = {}): Failure {
  return { code, message, httpStatus: more.httpStatus ?? null, retryAfterMs: more.retryAfterMs ?? null }
}
