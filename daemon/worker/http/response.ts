// What an answer means, judged from its head alone and from what we asked: a body that continues at an offset, a
// redirect, a reason to start the file over with a new request, or a failure. Pure: no clock, no network, no file.
// The invariant: a body is only let through when its place in the file, its length and its version are not in
// doubt; whatever contradicts itself or what we know is never written (contract, rule 4; RFC 9110 §13–§15).
import { failure, type Failure } from '../../../protocol/failures.ts'
import type { Validator } from '../../link/messages.ts'
import { headerValue, parseContentRange, parseDate, parseLength, retryAfterMs, type AnswerHeaders } from './header-values.ts'

export interface AnswerHead {
  readonly status: number
  /** `null`: something that is neither. */
  readonly version: '1.0' | '1.1' | null
  /** Names in lower case. */
  readonly headers: AnswerHeaders
}

/** What we asked for. `from` and `to` (exclusive, `null`: to the end) are places in the remote file. */
export interface Asked {
  readonly ranged: boolean
  readonly from: number
  readonly to: number | null
  /** The job named byte ranges: the whole file will not do. */
  readonly rangesOnly: boolean
  /** What earlier answers said about the remote file, where this answer must be of the same version. */
  readonly known: { readonly bytesTotal: number | null; readonly validator: Validator } | null
  /** The attempt before this one met a whole file without a validator where one was known, and did not take it. */
  readonly doubted?: boolean
}

export type Judgement =
  | {
    readonly kind: 'body'
    readonly from: number
    /** Bytes that will come; `null`: known at the end only. */
    readonly length: number | null
    readonly framing: 'length' | 'chunked' | 'close'
    /** The size of the whole remote file. */
    readonly bytesTotal: number | null
    readonly validator: Validator
    readonly modifiedAt: number | null
  }
  | { readonly kind: 'redirect'; readonly status: number; readonly location: string; readonly setCookie: readonly string[] }
  | { readonly kind: 'start-over'; readonly why: string }
  /** A whole file that nothing identifies, in place of the rest of one that was identified. */
  | { readonly kind: 'doubtful' }
  | { readonly kind: 'failure'; readonly failure: Failure }

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

export function judgeResponse(asked: Asked, head: AnswerHead, now: number): Judgement {
  const { status, headers } = head
  if (head.version === null) return failed(failure('unsupported-protocol', 'The server speaks another version of HTTP than it was asked in.'))
  if (redirects.has(status)) {
    const location = headerValue(headers, 'location')
    if (location.kind === 'one' && location.value.length <= 8192) return { kind: 'redirect', status, location: location.value, setCookie: [headers['set-cookie'] ?? []].flat() }
    return location.kind === 'none' ? refused(head, now) : invalid('The server named more than one place to redirect to, or an endless one.')
  }
  if (status === 416 && asked.ranged) {
    return asked.rangesOnly
      ? failed(failure('invalid-range', 'The server does not have the range that was asked for.', { httpStatus: 416 }))
      : { kind: 'start-over', why: 'the range is not there any more' }
  }
  if (status !== 200 && status !== 206) return refused(head, now)

  const framing = framingOf(head)
  if (typeof framing === 'string') return invalid(framing)
  return status === 206 ? judgePart(asked, head, framing) : judgeWhole(asked, head, framing)
}

/** Can partial data go on with this? A strong ETag proves it, or Last-Modified together with the length. */
export function mayResume(validator: Validator | null, bytesTotal: number | null): boolean {
  return validator !== null && (isStrong(validator.etag) || (validator.lastModified !== null && bytesTotal !== null))
}

/** The value of If-Range for it (RFC 9110 §13.1.5: never a weak ETag). */
export function ifRangeOf(validator: Validator): string | null {
  return isStrong(validator.etag) ? validator.etag : validator.lastModified
}

function isStrong(etag: string | null): boolean {
  return etag !== null && etag.startsWith('"')
}

interface Version {
  /** As the answer has them. */
  readonly etag: string | null
  readonly lastModified: string | null
  readonly modifiedAt: number | null
  /** What a later request may rely on. */
  readonly validator: Validator
}

function versionOf(headers: AnswerHeaders): Version {
  const tag = headerValue(headers, 'etag')
  const modified = headerValue(headers, 'last-modified')
  const modifiedAt = modified.kind === 'one' && modified.value.length <= 128 ? parseDate(modified.value) : null
  const etag = tag.kind === 'one' && tag.value.length <= 4096 && /^(W\/)?"[^"\x00-\x20]*"$/.test(tag.value) ? tag.value : null
  const lastModified = modified.kind === 'one' && modifiedAt !== null ? modified.value : null
  return { etag, lastModified, modifiedAt, validator: { etag, lastModified: isSettled(headers, modifiedAt) ? lastModified : null } }
}

/**
 * A date has whole seconds, so a file may change twice under one. It proves sameness only where the answer was made at
 * least a second later, by the server's own clock (RFC 9110 §8.8.2.2); without `Date` nobody knows.
 */
function isSettled(headers: AnswerHeaders, modifiedAt: number | null): boolean {
  const date = headerValue(headers, 'date')
  const answeredAt = date.kind === 'one' ? parseDate(date.value) : null
  return modifiedAt !== null && answeredAt !== null && answeredAt >= modifiedAt + 1000
}

/**
 * A missing strong ETag proves nothing, so it counts as a difference. A missing date does not: a server that answers
 * `If-Range` with a part has compared the date, and is told to leave it out (RFC 9110 §15.3.7).
 */
function isSameVersion(known: Validator, answered: Version): boolean {
  if (isStrong(known.etag)) return known.etag === answered.etag
  if (known.etag !== null && answered.etag !== null && known.etag !== answered.etag) return false
  if (known.lastModified === null) return false
  return answered.lastModified === null || known.lastModified === answered.lastModified
}

type Framing = { readonly kind: 'length'; readonly length: number } | { readonly kind: 'chunked' | 'close' }

/** RFC 9112 §6.3; text is the reason why the framing cannot be trusted. */
function framingOf(head: AnswerHead): Framing | string {
  const length = headerValue(head.headers, 'content-length')
  const coding = headerValue(head.headers, 'transfer-encoding')
  if (length.kind === 'many') return 'The server gave contradicting lengths.'
  if (coding.kind !== 'none') {
    if (length.kind === 'one') return 'The server gave both a length and a transfer coding.'
    if (coding.kind === 'many' || coding.value.toLowerCase() !== 'chunked') return 'The server used an unknown transfer coding.'
    return head.version === '1.0' ? 'The server used chunks in an HTTP/1.0 answer.' : { kind: 'chunked' }
  }
  if (length.kind === 'none') return { kind: 'close' }
  const bytes = parseLength(length.value)
  return bytes === null ? 'The server gave a length that is no number.' : { kind: 'length', length: bytes }
}

function judgeWhole(asked: Asked, head: AnswerHead, framing: Framing): Judgement {
  if (headerValue(head.headers, 'content-range').kind !== 'none') return invalid('The server sent the whole file and a range at once.')
  const version = versionOf(head.headers)
  if (asked.rangesOnly) {
    const changed = asked.known !== null && !isSameVersion(asked.known.validator, version)
    return changed
      ? { kind: 'start-over', why: 'the remote file has changed' }
      : failed(failure('insufficient-range-support', 'The server sent the whole file where a range was asked for.', { httpStatus: head.status }))
  }
  // A login page in the way looks like this. What is here is not given up for it at once.
  const isIdentified = version.etag !== null || version.lastModified !== null
  if (asked.known !== null && !isIdentified && asked.doubted !== true && mayResume(asked.known.validator, asked.known.bytesTotal)) {
    return { kind: 'doubtful' }
  }
  const length = framing.kind === 'length' ? framing.length : null
  return body(head, framing, { from: 0, length, bytesTotal: length })
}

function judgePart(asked: Asked, head: AnswerHead, framing: Framing): Judgement {
  if (!asked.ranged) return invalid('The server sent a part where the whole file was asked for.')
  const fault = partFault(asked, head, framing)
  if (fault.kind === 'changed') return { kind: 'start-over', why: fault.why }
  if (fault.kind === 'none') return body(head, framing, { from: asked.from, length: fault.length, bytesTotal: fault.bytesTotal })
  if (!asked.rangesOnly) return { kind: 'start-over', why: fault.why }
  const { status: httpStatus } = head
  if (fault.kind === 'beyond-end') return failed(failure('invalid-range', 'A range lies beyond the end of the remote file.', { httpStatus }))
  // Who answers one range with another will do so again (BITS, BG_E_INSUFFICIENT_RANGE_SUPPORT).
  return fault.kind === 'other-range' ? failed(failure('insufficient-range-support', fault.why, { httpStatus })) : invalid(fault.why)
}

type PartFault =
  | { readonly kind: 'none'; readonly length: number; readonly bytesTotal: number | null }
  | { readonly kind: 'changed' | 'contradiction' | 'other-range' | 'beyond-end'; readonly why: string }

function partFault(asked: Asked, head: AnswerHead, framing: Framing): PartFault {
  const type = headerValue(head.headers, 'content-type')
  if (type.kind === 'one' && /^multipart\/byteranges/i.test(type.value)) return otherRange('The server sent several parts where one was asked for.')
  const header = headerValue(head.headers, 'content-range')
  const range = header.kind === 'one' ? parseContentRange(header.value) : null
  if (range === null) return otherRange('The server sent a part without saying which.')
  const { known } = asked
  if (known) {
    const version = versionOf(head.headers)
    if (!isSameVersion(known.validator, version)) return { kind: 'changed', why: 'the remote file has changed' }
    if (!isStrong(known.validator.etag) && version.lastModified === null && range.total === null) {
      return { kind: 'changed', why: 'nothing says that the remote file is the same' }
    }
    if (range.total !== null && known.bytesTotal !== null && range.total !== known.bytesTotal) return { kind: 'changed', why: 'the size of the remote file has changed' }
  }
  const bytesTotal = range.total ?? known?.bytesTotal ?? null
  const to = asked.to ?? bytesTotal
  if (range.from !== asked.from) return otherRange('The server sent another part than the one asked for.')
  if (to === null) return contradiction('The server did not say how large the file is.')
  if (range.to !== to) {
    const isBeyond = bytesTotal !== null && bytesTotal < to && range.to === bytesTotal
    return isBeyond ? { kind: 'beyond-end', why: 'the range lies beyond the end' } : otherRange('The server sent another part than the one asked for.')
  }
  const length = range.to - range.from
  if (framing.kind === 'length' && framing.length !== length) return contradiction('The length of the answer contradicts its range.')
  if (framing.kind === 'close') return contradiction('The server sent a part without a length.')
  return { kind: 'none', length, bytesTotal }
}

function body(head: AnswerHead, framing: Framing, place: { from: number; length: number | null; bytesTotal: number | null }): Judgement {
  const { validator, modifiedAt } = versionOf(head.headers)
  return { kind: 'body', framing: framing.kind, validator, modifiedAt, ...place }
}

function refused(head: AnswerHead, now: number): Judgement {
  const message = `The server answered with status ${head.status}.`
  return failed(failure('http-error', message, { httpStatus: head.status, retryAfterMs: retryAfterMs(head.headers, now) }))
}

function otherRange(why: string): PartFault {
  return { kind: 'other-range', why }
}

function contradiction(why: string): PartFault {
  return { kind: 'contradiction', why }
}

function invalid(message: string): Judgement {
  return failed(failure('invalid-server-response', message))
}

function failed(value: Failure): Judgement {
  return { kind: 'failure', failure: value }
}
