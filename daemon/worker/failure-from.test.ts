import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failure, failureContexts } from '../../protocol/failures.ts'
import { systemError } from '../libc.ts'
import { asError, codeOf, localFailure, transportFailure } from './failure-from.ts'

const errorWith = (code: string, message = 'https://me:secret@example.org/a?token=secret'): Error => Object.assign(new Error(message), { code, errno: -1 })

test('what a disk says becomes a failure of the local file', () => {
  const expected = {
    ENOSPC: 'disk-full', EDQUOT: 'quota-exceeded', EACCES: 'access-denied', EPERM: 'access-denied', ENOENT: 'folder-not-found', ENOTDIR: 'folder-not-found',
    ENAMETOOLONG: 'name-too-long', EROFS: 'read-only-file-system', EFBIG: 'file-too-large', EMFILE: 'too-many-open-files', ELOOP: 'not-a-regular-file',
    EISDIR: 'not-a-regular-file', EIO: 'local-file-error', ESTALE: 'local-file-error',
  } as const
  for (const [code, name] of Object.entries(expected)) {
    const made = localFailure(errorWith(code))
    assert.equal(made.code, name, code)
    assert.equal(failureContexts[made.code], 'local-file')
    assert.doesNotMatch(made.message, /secret/)
  }
})

test('what libuv has no name for is told by its number', { skip: process.platform !== 'linux' && 'the numbers of Linux' }, () => {
  // As Node makes them: fs.writeSync(2) on a full quota throws `Unknown system error -122`.
  const unnamed = (number: number): Error => Object.assign(new Error(`Unknown system error ${number}`), { code: `Unknown system error ${number}`, errno: number })
  const expected = [[122, 'quota-exceeded'], [116, 'local-file-error'], [117, 'local-file-error'], [123, 'volume-changed'], [4095, 'local-file-error']] as const
  for (const [number, name] of expected) {
    assert.equal(localFailure(unnamed(-number)).code, name, String(number))
    assert.equal(localFailure(systemError('fallocate', number)).code, name, String(number))
    assert.match(codeOf(unnamed(-number)), /^E[A-Z0-9]+$/)
  }
  assert.match(localFailure(unnamed(-117)).message, /EUCLEAN/)
})

test('what a network says becomes a failure of transport, with the host and no more', () => {
  const expected = {
    ENOTFOUND: 'name-not-resolved', EAI_AGAIN: 'name-not-resolved', ECONNREFUSED: 'cannot-connect', EHOSTUNREACH: 'cannot-connect', ENETUNREACH: 'cannot-connect',
    ECONNRESET: 'connection-closed', EPIPE: 'connection-closed', UND_ERR_SOCKET: 'connection-closed', ETIMEDOUT: 'connection-timeout',
    CERT_HAS_EXPIRED: 'certificate-invalid', DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate-invalid', ERR_TLS_CERT_ALTNAME_INVALID: 'certificate-invalid',
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate-invalid', ERR_SSL_WRONG_VERSION_NUMBER: 'tls-failure', EPROTO: 'tls-failure',
    HPE_INVALID_CONSTANT: 'invalid-server-response', UND_ERR_HEADERS_OVERFLOW: 'invalid-server-response',
  } as const
  for (const [code, name] of Object.entries(expected)) {
    const made = transportFailure(errorWith(code), 'example.org')
    assert.equal(made.code, name, code)
    assert.match(made.message, /example\.org/)
    assert.doesNotMatch(made.message, /secret/)
  }
})

test('a failure that travelled as an error comes out as it was', () => {
  const made = failure('checksum-mismatch', 'no')
  assert.equal(localFailure(asError(made)), made)
  assert.equal(transportFailure(asError(made), 'example.org'), made)
})

test('a defect is called one', () => {
  assert.equal(localFailure(new TypeError('x is not a function')).code, 'internal-error')
})
