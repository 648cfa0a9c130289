// What people read: sizes, spans, times, tables, and the colours for them. Pure: text in, text out. Text that came
// from elsewhere (names, messages) is made harmless for a terminal first.
import type { Job, JobState, Reason } from '../../protocol/job.ts'

const sizeUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** In decimal units, three digits: `999 B`, `1.23 MB`. */
export function size(bytes: number | null): string {
  if (bytes === null) return '?'
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < sizeUnits.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${sizeUnits[unit]}`
}

export function rate(bytesPerSecond: number): string {
  return bytesPerSecond > 0 ? `${size(bytesPerSecond)}/s` : ''
}

/** The two largest units of a span: `45 s`, `3 min 20 s`, `2 d 4 h`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const parts = ([[86_400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']] as const)
    .map(([unit, name], at, all) => ({ name, count: Math.floor((at === 0 ? whole : whole % (all[at - 1]?.[0] ?? 1)) / unit) }))
  const first = parts.findIndex(({ count }) => count > 0)
  if (first === -1) return '0 s'
  return parts.slice(first, first + 2).filter(({ count }) => count > 0).map(({ name, count }) => `${count} ${name}`).join(' ')
}

/** A moment in local time, without the date where it is today. */
export function moment(at: number, now: number = Date.now()): string {
  const date = new Date(at)
  const two = (number: number): string => String(number).padStart(2, '0')
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return date.toDateString() === new Date(now).toDateString() ? clock : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`
}

export function percentage({ bytesTotal, bytesTransferred, filesTotal, filesTransferred }: Job['progress']): string {
  if (filesTotal > 0 && filesTransferred === filesTotal) return '100%'
  if (bytesTotal === null || bytesTotal === 0) return ''
  return `${Math.min(99, Math.floor(bytesTransferred / bytesTotal * 100))}%`
}

/** Why a job waits, on one line; `''` where it does not. */
export function whyWaiting(job: Job, now: number = Date.now()): string {
  if (job.state === 'transient-error' && job.error) return `${retryTime(job, now)}: ${job.error.message}`
  if (job.state === 'error' && job.error) return job.error.message
  if (job.state === 'transferred') return 'waits for: backhaul complete'
  return job.waiting && job.endedAt === null ? reasonLine(job.waiting, now) : ''
}

export function retryTime(job: Job, now: number = Date.now()): string {
  const retryAt = job.error?.retryAt ?? job.waiting?.until ?? null
  return retryAt === null ? 'waiting for retry' : `waiting for retry at ${moment(retryAt, now)}`
}

export function reasonLine({ reason, until, detail }: Reason, now: number = Date.now()): string {
  return `${reason}${until === null ? '' : ` until ${moment(until, now)}`}${detail ? `: ${detail}` : ''}`
}

export function shortId(id: string): string {
  return id.slice(0, 8)
}

/** Text without what could drive a terminal (control characters, direction marks). */
export function harmless(text: string): string {
  // eslint-disable-next-line no-control-regex -- finding control characters is what it is for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

export function shortened(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}

/** Columns by the width of their widest cell, two spaces between; the last one is as long as it is. */
export function table(rows: readonly (readonly string[])[], paint: (text: string, row: number, column: number) => string = (text) => text): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, column) => { widths[column] = Math.max(widths[column] ?? 0, cell.length) })
  return rows.map((row, at) => row
    .map((cell, column) => paint(cell, at, column) + (column === row.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - cell.length)))
    .join('  ').trimEnd()).join('\n')
}

/** Names and values, one per line; what is `null` is left out. */
export function details(rows: readonly (readonly [string, string | null])[]): string {
  const given = rows.filter((row): row is readonly [string, string] => row[1] !== null && row[1] !== '')
  return table(given.map(([name, value]) => [`${name}:`, value]))
}

export type Paint = (style: Style, text: string) => string
type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'
const codes: Record<Style, string> = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', cyan: '36' }

/** Colour only on a terminal, and not where the user has none of it (no-color.org). */
export function painter(stream: { readonly isTTY?: boolean }): Paint {
  const isColoured = stream.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb'
  return (style, text) => isColoured && text !== '' ? `\u001b[${codes[style]}m${text}\u001b[0m` : text
}

export const styleOfState: Record<JobState, Style> = {
  'suspended': 'dim',
  'queued': 'bold',
  'connecting': 'cyan',
  'transferring': 'cyan',
  'transient-error': 'yellow',
  'error': 'red',
  'transferred': 'green',
  'acknowledged': 'dim',
  'cancelled': 'dim',
}
