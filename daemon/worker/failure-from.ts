// Any thrown thing → a `Failure`, told apart by its code, never by its text. Pure. Messages name at most the host;
// paths, query strings, header values and what a library wrote into its own message stay out of them.
import { constants } from 'node:os'
import { failure, type Failure, type FailureCode } from '../../protocol/failures.ts'

/** By number, where libuv has no name: those of Linux that Node does not list either. */
const namesByNumber: ReadonlyMap<number, string> = new Map([
  ...process.platform === 'linux' ? [[117, 'EUCLEAN'], [121, 'EREMOTEIO'], [123, 'ENOMEDIUM'], [124, 'EMEDIUMTYPE'], [133, 'EHWPOISON']] as const : [],
  ...Object.entries(constants.errno).map(([name, number]) => [number, name] as const),
])

const localCodes: Readonly<Record<string, readonly [FailureCode, string]>> = {
  ENOSPC: ['disk-full', 'There is no space left on the disk of the local name.'],
  EDQUOT: ['quota-exceeded', 'The disk quota of the owner is used up.'],
  EUCLEAN: ['local-file-error', 'The file system of the local name is damaged and must be repaired (EUCLEAN).'],
  ESTALE: ['local-file-error', 'The server of the file system of the local name does not know the file any more (ESTALE).'],
  EREMOTEIO: ['local-file-error', 'The disk of the local name does not answer as it should (EREMOTEIO).'],
  ENOMEDIUM: ['volume-changed', 'There is no medium in the drive of the local name: put it back, then go on.'],
  EMEDIUMTYPE: ['volume-changed', 'There is another medium in the drive of the local name: put the first one back, then go on.'],
  EACCES: ['access-denied', 'The owner may not write to the folder of the local name.'],
  EPERM: ['access-denied', 'The owner may not write to the folder of the local name.'],
  ENOENT: ['folder-not-found', 'The folder of the local name does not exist.'],
  ENOTDIR: ['folder-not-found', 'The folder of the local name is not a folder.'],
  ENAMETOOLONG: ['name-too-long', 'The local name is too long.'],
  EROFS: ['read-only-file-system', 'The local name lies on a read-only file system.'],
  EFBIG: ['file-too-large', 'The file is too large for the file system or for the limits of the owner.'],
  EMFILE: ['too-many-open-files', 'Too many files are open.'],
  ENFILE: ['too-many-open-files', 'Too many files are open.'],
  ELOOP: ['not-a-regular-file', 'In place of the file there is something else.'],
  EISDIR: ['not-a-regular-file', 'In place of the file there is a folder.'],
  ENOTEMPTY: ['not-a-regular-file', 'In place of the file there is a folder.'],
  ENXIO: ['not-a-regular-file', 'In place of the file there is something else.'],
  ENODEV: ['not-a-regular-file', 'In place of the file there is something else.'],
}

const transportCodes: Readonly<Record<string, readonly [FailureCode, string]>> = {
  ENOTFOUND: ['name-not-resolved', 'The name of the server could not be resolved'],
  EAI_AGAIN: ['name-not-resolved', 'The name of the server could not be resolved for now'],
  EAI_FAIL: ['name-not-resolved', 'The name of the server could not be resolved'],
  EAI_NODATA: ['name-not-resolved', 'The name of the server could not be resolved'],
  EAI_NONAME: ['name-not-resolved', 'The name of the server could not be resolved'],
  ECONNREFUSED: ['cannot-connect', 'The server refused the connection'],
  EHOSTUNREACH: ['cannot-connect', 'The server cannot be reached'],
  EHOSTDOWN: ['cannot-connect', 'The server cannot be reached'],
  ENETUNREACH: ['cannot-connect', 'The network of the server cannot be reached'],
  ENETDOWN: ['cannot-connect', 'The network is down'],
  EADDRNOTAVAIL: ['cannot-connect', 'The server cannot be reached'],
  EACCES: ['cannot-connect', 'The connection is not allowed'],
  EPERM: ['cannot-connect', 'The connection is not allowed'],
  EMFILE: ['too-many-open-files', 'Too many files are open'],
  ENFILE: ['too-many-open-files', 'Too many files are open'],
  ECONNRESET: ['connection-closed', 'The connection was closed'],
  ECONNABORTED: ['connection-closed', 'The connection was closed'],
  EPIPE: ['connection-closed', 'The connection was closed'],
  UND_ERR_SOCKET: ['connection-closed', 'The connection was closed'],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['invalid-server-response', 'The answer contradicts its own length'],
  ETIMEDOUT: ['connection-timeout', 'The server did not answer in time'],
  UND_ERR_CONNECT_TIMEOUT: ['connection-timeout', 'The server did not answer in time'],
  UND_ERR_HEADERS_TIMEOUT: ['connection-timeout', 'The server did not answer in time'],
  UND_ERR_BODY_TIMEOUT: ['connection-timeout', 'The server stopped sending'],
  UND_ERR_HEADERS_OVERFLOW: ['invalid-server-response', 'The head of the answer is too large'],
  UND_ERR_INVALID_ARG: ['invalid-remote-name', 'The request cannot be made'],
  // An answer that was going on, or its head.
  HPE_INVALID_EOF_STATE: ['connection-closed', 'The connection was closed'],
  // We offer HTTP/1.1 only (RFC 7301 §3.2).
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: ['unsupported-protocol', 'The server does not speak HTTP/1.1'],
  EPROTO: ['tls-failure', 'No secure connection could be made'],
}

/** What OpenSSL and Node call a certificate that does not hold. */
const certificateCode = /^(CERT_|CRL_|ERROR_IN_C|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/

export function localFailure(thrown: unknown): Failure {
  const known = failureOf(thrown)
  if (known) return known
  if (!(thrown instanceof Error && 'errno' in thrown)) return failure('internal-error', 'Something went wrong inside the service.')
  const [code, message] = localCodes[codeOf(thrown)] ?? ['local-file-error', `The local file could not be read or written (${codeOf(thrown)}).`]
  return failure(code, message)
}

export function transportFailure(thrown: unknown, host: string): Failure {
  const known = failureOf(thrown)
  if (known) return known
  // The HTTP client's parser may say only by its name that it could not go on.
  const isOfParser = thrown instanceof Error && thrown.name === 'HTTPParserError' && codeOf(thrown) !== 'HPE_INVALID_EOF_STATE'
  const code = isOfParser ? 'HPE' : codeOf(thrown)
  const [name, message] = transportCodes[code] ?? otherTransport(code)
  return failure(name, `${message} (${host}, ${code}).`)
}

/** Carries a `Failure` through code that can only throw or abort; it never leaves the transfer. */
export function asError(value: Failure): Error {
  return Object.assign(new Error(value.message), { failure: value })
}

export function raise(value: Failure): never {
  throw asError(value)
}

function otherTransport(code: string): readonly [FailureCode, string] {
  if (certificateCode.test(code)) return ['certificate-invalid', 'The certificate of the server does not hold']
  if (/^(ERR_SSL_|ERR_TLS_)/.test(code)) return ['tls-failure', 'No secure connection could be made']
  if (code.startsWith('HPE')) return ['invalid-server-response', 'The answer does not follow HTTP']
  return ['connection-closed', 'The connection failed']
}

function failureOf(thrown: unknown): Failure | null {
  return thrown instanceof Error && 'failure' in thrown ? thrown.failure as Failure : null
}

/** The stable code of a thrown thing; `unknown` where it has none. What libuv has no name for is named by its number. */
export function codeOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : null
  if (typeof code === 'string' && code !== 'UNKNOWN' && /^[A-Za-z0-9_]{1,80}$/.test(code)) return code
  const number = thrown instanceof Error && 'errno' in thrown && typeof thrown.errno === 'number' ? Math.abs(thrown.errno) : 0
  return number > 0 ? namesByNumber.get(number) ?? `E${number}` : 'unknown'
}
