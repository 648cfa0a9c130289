// Cookies that servers set on the way of one chain of redirects (RFC 6265). They go back to the origin that set them, within the same request,
// and nowhere else: no domain widens them, and nothing keeps them. Pure. What is beyond the bounds is dropped, the oldest first.
import { parseDate } from './header-values.ts'

export interface Cookie {
  readonly origin: string
  readonly path: string
  readonly name: string
  readonly value: string
}

const mostCookies = 50
/** RFC 6265 §6.1. */
const longestCookie = 4096
/** Of a request; servers refuse much longer heads. */
const longestHeader = 8192

/** What there is after an answer to a request for `path` at `origin` that said `setCookie`. */
export function withCookies(cookies: readonly Cookie[], setCookie: readonly string[], origin: string, path: string, now: number): readonly Cookie[] {
  return setCookie.slice(0, mostCookies).reduce<readonly Cookie[]>((present, text) => {
    const read = text.length > longestCookie ? null : readCookie(text, origin, path, now)
    if (read === null) return present
    const { cookie, isGone } = read
    const others = present.filter((each) => each.origin !== origin || each.path !== cookie.path || each.name !== cookie.name)
    return isGone ? others : [...others, cookie].slice(-mostCookies)
  }, cookies)
}

/** The value of `Cookie` for a request; `null`: none. */
export function cookieHeader(cookies: readonly Cookie[], origin: string, path: string): string | null {
  const [asked = ''] = path.split('?')
  const fitting = cookies.filter((each) => each.origin === origin && isBelow(asked, each.path))
  // Longer paths first (RFC 6265 §5.4).
  const pairs = fitting.sort((a, b) => b.path.length - a.path.length).map(({ name, value }) => `${name}=${value}`)
  while (pairs.join('; ').length > longestHeader) pairs.pop()
  return pairs.length === 0 ? null : pairs.join('; ')
}

function readCookie(text: string, origin: string, path: string, now: number): { cookie: Cookie; isGone: boolean } | null {
  const [pair = '', ...attributes] = text.split(';')
  const at = pair.indexOf('=')
  const name = pair.slice(0, at).trim()
  const value = pair.slice(at + 1).trim()
  if (at < 1 || name === '' || /[^\x21-\x7e\x80-\xff ]/.test(name + value)) return null
  const named = new Map(attributes.map((each) => {
    const [key = '', ...rest] = each.split('=')
    return [key.trim().toLowerCase(), rest.join('=').trim()] as const
  }))
  if (named.has('secure') && !origin.startsWith('https:')) return null
  const given = named.get('path') ?? ''
  const maxAge = named.get('max-age') ?? ''
  const expires = parseDate((named.get('expires') ?? '').replace(/^(\w{3}, \d\d)-(\w{3})-(\d{4})/, '$1 $2 $3'))
  const isGone = /^-?\d+$/.test(maxAge) ? Number(maxAge) <= 0 : expires !== null && expires <= now
  return { cookie: { origin, path: given.startsWith('/') ? given : folderOf(path), name, value }, isGone }
}

/** RFC 6265 §5.1.4. */
function folderOf(path: string): string {
  const [asked = ''] = path.split('?')
  const end = asked.lastIndexOf('/')
  return end <= 0 ? '/' : asked.slice(0, end)
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || (path.startsWith(folder) && (folder.endsWith('/') || path[folder.length] === '/'))
}
