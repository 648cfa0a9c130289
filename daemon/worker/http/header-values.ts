// How the header values that matter to a download are read. Pure and strict: what does not follow the grammar of
// RFC 9110 is `null`, never a guess. The same value sent twice counts once; different values are `many`.

export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

export type HeaderValue = { readonly kind: 'none' } | { readonly kind: 'many' } | { readonly kind: 'one'; readonly value: string }

export function headerValue(headers: AnswerHeaders, name: string): HeaderValue {
  const value = headers[name]
  if (value === undefined) return { kind: 'none' }
  if (typeof value === 'string') return { kind: 'one', value: value.trim() }
  const values = new Set(value.map((each) => each.trim()))
  const [first] = values
  if (first === undefined) return { kind: 'none' }
  return values.size === 1 ? { kind: 'one', value: first } : { kind: 'many' }
}

export function parseLength(text: string): number | null {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  return Number.isSafeInteger(number) ? number : null
}

/** `bytes 0-9/10` → from 0 to 10 (exclusive) of 10; `total` is `null` for `*` (RFC 9110 §14.4). */
export function parseContentRange(text: string): { from: number; to: number; total: number | null } | null {
  const match = /^bytes +(\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/i.exec(text)
  if (!match) return null
  const from = parseLength(match[1] ?? '')
  const last = parseLength(match[2] ?? '')
  const total = match[3] === '*' ? null : parseLength(match[3] ?? '')
  if (from === null || last === null || last < from || last >= Number.MAX_SAFE_INTEGER) return null
  if (match[3] !== '*' && (total === null || last >= total)) return null
  return { from, to: last + 1, total }
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** An HTTP date as milliseconds since 1970 (RFC 9110 §5.6.7: the fixed form, and the two obsolete ones). */
export function parseDate(text: string): number | null {
  const fixed = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/.exec(text)
  if (fixed) return instant(fixed[3], fixed[2], fixed[1], fixed[4], fixed[5], fixed[6])
  const ansi = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/.exec(text)
  if (ansi) return instant(ansi[6], ansi[1], ansi[2], ansi[3], ansi[4], ansi[5])
  const old = /^[A-Z][a-z]+day, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/.exec(text)
  if (!old) return null
  const year = Number(old[3])
  return instant(String(year < 70 ? 2000 + year : 1900 + year), old[2], old[1], old[4], old[5], old[6])
}

function instant(...[year, month, day, hour, minute, second]: (string | undefined)[]): number | null {
  const at = Date.UTC(Number(year), months.indexOf(month ?? ''), Number(day), Number(hour), Number(minute), Number(second))
  return months.includes(month ?? '') && Number.isFinite(at) && new Date(at).getUTCDate() === Number(day) ? at : null
}

/** Nobody waits longer than this because a server said so. */
const longestRetryAfterMs = 14 * 24 * 3600 * 1000

/** Both forms of Retry-After (RFC 9110 §10.2.3); a date counts from the server's own clock where it gave it. */
export function retryAfterMs(headers: AnswerHeaders, now: number): number | null {
  const header = headerValue(headers, 'retry-after')
  if (header.kind !== 'one') return null
  if (/^\d+$/.test(header.value)) return Math.min(Number(header.value) * 1000, longestRetryAfterMs)
  const at = parseDate(header.value)
  if (at === null) return null
  const date = headerValue(headers, 'date')
  const serverNow = (date.kind === 'one' ? parseDate(date.value) : null) ?? now
  return Math.min(Math.max(at - serverNow, 0), longestRetryAfterMs)
}
