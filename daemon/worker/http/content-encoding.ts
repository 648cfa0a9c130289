// A Content-Encoding is a label here: bytes are stored as they are sent, and length, ranges and checksums count those (RFC 9110 §8.4: it
// belongs to what is sent). We ask for `identity`; a text that comes compressed nevertheless is worth a word to whoever runs the service.
import { headerValue, type AnswerHeaders } from './header-values.ts'

const compressed = /\b(?:x-)?(?:gzip|compress)\b|\b(?:deflate|br|zstd)\b/i
const text = /^(?:text\/|application\/(?:json|javascript|xml|x-javascript|[^;\s]+\+(?:json|xml))(?:[;\s]|$))/i
/** Servers that were spoken of; one line each says enough. */
const spokenOf = new Set<string>()
const mostSpokenOf = 100

/** Was a text compressed on the way although nobody asked for it? */
export function isCompressedText(headers: AnswerHeaders): boolean {
  const encoding = headerValue(headers, 'content-encoding')
  if (encoding.kind === 'none') return false
  const type = headerValue(headers, 'content-type')
  return type.kind === 'one' && text.test(type.value) && (encoding.kind === 'many' || compressed.test(encoding.value))
}

export function warnOfCompressedText(headers: AnswerHeaders, host: string): void {
  if (headers['content-encoding'] === undefined || !isCompressedText(headers)) return
  if (spokenOf.has(host) || spokenOf.size >= mostSpokenOf) return
  spokenOf.add(host)
  console.warn(`${host} sends texts compressed although it was asked not to; they are stored as they come`)
}
