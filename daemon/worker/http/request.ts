// What we send: the headers of one request, and where a redirect leads. Pure. Redirects are followed hop by hop
// so that each hop is judged (RFC 9110 §15.4; BITS §8.6). The invariant: credentials go to the origin they were
// meant for and to no other, and never appear in a message.
import { cookieHeader, withCookies, type Cookie } from './cookies.ts'
import { failure, type Failure } from '../../../protocol/failures.ts'
import { packageVersion } from '../../../protocol/version.ts'
import type { TransferOrder } from '../../link/messages.ts'
import type { Judgement } from './response.ts'
import { isRemoteNameAllowed } from '../../link/policy-rules.ts'
import { requestTarget, resolveReference } from '../../link/request-target.ts'

export const maximumRedirects = 10

/** One place to ask. `url` says where it is and carries no user info; `path` is what is asked for there, as it was named. */
export interface Target {
  readonly url: URL
  readonly path: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  /** What the whole chain of redirects has in common. */
  readonly chain: Chain
}

interface Chain {
  /** The headers that the job names. */
  readonly own: Readonly<Record<string, string>>
  /** Their origins: the one that the job named, and those that it lets have them. */
  readonly trusted: readonly string[]
  readonly cookies: readonly Cookie[]
  /** From user info, by origin. */
  readonly logins?: Readonly<Record<string, string>>
}

/** Framing, ranges and encoding are ours to decide; the rest of the job's headers are sent as given. */
const ownHeaders: ReadonlySet<string> = new Set([
  'accept-encoding', 'connection', 'content-length', 'expect', 'if-match', 'if-modified-since', 'if-none-match', 'if-range',
  'if-unmodified-since', 'keep-alive', 'proxy-connection', 'range', 'te', 'trailer', 'transfer-encoding', 'upgrade',
])
/** Any other header that a job names may be a secret, as the tokens of GitLab, JFrog and others are. */
const harmless: ReadonlySet<string> = new Set(['accept', 'accept-language', 'referer', 'user-agent'])

/** Of a job that names none, as most do; very small files notice what is made for each. */
const noHeaders: Readonly<Record<string, string>> = {}
const usual = { 'accept': '*/*', 'user-agent': `Backhaul/${packageVersion}` }
const always = { 'accept-encoding': 'identity' }
const plainRequest = Object.entries({ ...usual, ...always }).flat()

export function firstTarget(order: Pick<TransferOrder, 'remoteName' | 'http'>): Target | Failure {
  const url = parseUrl(order.remoteName)
  if (url === null) return failure('invalid-remote-name', 'The remote name is not an absolute http or https URL.')
  const own = Object.entries(order.http.headers)
  const headers = own.length === 0 ? noHeaders : Object.fromEntries(own
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !ownHeaders.has(name)))
  const { home, sendHeadersTo = [], method } = order.http
  const chain: Chain = { own: headers, trusted: [home ?? url.origin, ...sendHeadersTo], cookies: [] }
  return targetOf(url, requestTarget(order.remoteName), method.toUpperCase(), chain)
}

type Redirect = Pick<Extract<Judgement, { kind: 'redirect' }>, 'location' | 'status' | 'setCookie'>

/** Where a redirect leads from `target`; `hops` were made before it. */
export function nextTarget(target: Target, redirect: Redirect, hops: number, http: TransferOrder['http']): Target | Failure {
  const { location, status, setCookie } = redirect
  if (http.redirects === 'disallow') return failure('http-error', `The server answered with status ${status}.`, { httpStatus: status })
  if (hops >= maximumRedirects) return failure('too-many-redirects', 'The server redirected too many times.', { httpStatus: status })
  const named = resolveReference(location, target.url.origin, target.path)
  const url = parseUrl(named)
  if (url === null) return failure('redirect-refused', 'The server redirected to something that is not an http or https URL.', { httpStatus: status })
  if (!isRemoteNameAllowed(http.remoteNames ?? null, named)) return failure('blocked-by-policy', 'The server redirected to where the policy of the owner does not allow it.', { httpStatus: status })
  if (target.url.protocol === 'https:' && url.protocol === 'http:' && !http.redirectToHttp) {
    return failure('redirect-refused', 'The server redirected from https to http, which the job does not allow.', { httpStatus: status })
  }
  const cookies = setCookie.length === 0 ? target.chain.cookies
    : withCookies(target.chain.cookies, setCookie, target.url.origin, target.path, Date.now())
  const becomesGet = status === 303 || ((status === 301 || status === 302) && target.method === 'POST')
  return targetOf(url, requestTarget(named), becomesGet ? 'GET' : target.method, { ...target.chain, cookies })
}

/** The headers on the wire, as a flat list. `range` is what follows `bytes=`. */
export function requestHeaders(target: Target, range: string | null, ifRange: string | null): readonly string[] {
  if (target.headers === noHeaders && range === null) return plainRequest
  const headers: Record<string, string> = { ...usual, ...target.headers, ...always }
  if (range !== null) headers['range'] = `bytes=${range}`
  if (range !== null && ifRange !== null) headers['if-range'] = ifRange
  return Object.entries(headers).flat()
}

export function isFailure(value: Target | Failure): value is Failure {
  return 'code' in value
}

function targetOf(url: URL, path: string, method: string, chain: Chain): Target {
  const { username, password } = url
  if (username === '' && password === '') return { url, path, method, headers: headersFor(chain, url.origin, path), chain }
  url.username = url.password = ''
  const secret = Buffer.from(`${decode(username)}:${decode(password)}`).toString('base64')
  // What an URL says of its own origin, of whichever hop, goes there alone.
  return targetOf(url, path, method, { ...chain, logins: { ...chain.logins, [url.origin]: `Basic ${secret}` } })
}

function headersFor({ own, trusted, cookies, logins }: Chain, origin: string, path: string): Readonly<Record<string, string>> {
  const isTrusted = trusted.includes(origin)
  const cookie = cookies.length === 0 ? null : cookieHeader(cookies, origin, path)
  const login = logins?.[origin]
  if (isTrusted && cookie === null && login === undefined) return own
  const sent = isTrusted ? own : Object.fromEntries(Object.entries(own).filter(([name]) => harmless.has(name)))
  const joined = [sent['cookie'], cookie].filter((each) => each != null).join('; ')
  return { ...(login === undefined ? {} : { authorization: login }), ...sent, ...(joined === '' ? {} : { cookie: joined }) }
}

function parseUrl(text: string): URL | null {
  const url = urlOf(text)
  if (url === null) return null
  return (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '' ? url : null
}

function urlOf(text: string): URL | null {
  try {
    return new URL(text)
  } catch (error) {
    // Asking before whether it can be parsed would parse it twice.
    if (error instanceof TypeError) return null
    throw error
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    // A stray percent sign in user info stands for itself.
    if (error instanceof URIError) return text
    throw error
  }
}
