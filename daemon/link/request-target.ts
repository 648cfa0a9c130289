// What is asked for: path and query as they were named, byte for byte, since signed links are signed over their text. Only what cannot stand in
// a request line (RFC 9112 §3) is percent-encoded. `URL` would resolve `%2e%2e`, encode `'` and drop an empty query. Pure.

const absolute = /^https?:\/\/[^/\\?#\t\n\r]+([^#]*)/i

/** Of an absolute http or https URL, the part of a request line; `bytes`: how text beyond ASCII becomes bytes. */
export function requestTarget(text: string, bytes: 'utf8' | 'latin1' = 'utf8'): string {
  const rest = absolute.exec(text)?.[1]
  if (rest === undefined || /[\t\n\r]/.test(rest)) {
    // Odd enough that only the parser of URLs knows where the host ends.
    const { pathname, search } = new URL(text)
    return pathname + search
  }
  const path = encoded(rest, bytes)
  if (path.startsWith('/')) return path
  return path.startsWith('\\') ? `/${path.slice(1)}` : `/${path}`
}

export function encoded(text: string, bytes: 'utf8' | 'latin1'): string {
  return text.replace(/[^\x21-\x7e]+/g, (run) => Buffer.from(run, bytes).toString('hex').toUpperCase().replace(/../g, '%$&'))
}

/**
 * An absolute URL for what a server called `reference`, whose characters are bytes, seen from `origin` and the request target `base` (RFC 3986
 * §5.2). An absolute one stays as it was written.
 */
export function resolveReference(reference: string, origin: string, base: string): string {
  if (/^https?:\/\/[^/\\]/i.test(reference)) return encoded(reference, 'latin1')
  if (/^[a-z][a-z0-9+.-]*:/i.test(reference)) return reference
  const text = encoded(reference.replace(/#.*$/s, ''), 'latin1')
  if (/^[/\\]{2}/.test(text)) return origin.replace(/\/\/.*$/, '') + text
  if (text === '') return origin + base
  const [, path = '', query = ''] = /^([^?]*)(.*)$/s.exec(text) ?? []
  const [basePath = ''] = base.split('?')
  if (path === '') return origin + basePath + query
  return origin + withoutDots(/^[/\\]/.test(path) ? `/${path.slice(1)}` : basePath.replace(/[^/]*$/, '') + path) + query
}

/** RFC 3986 §5.2.4, for dots that are written as dots. */
function withoutDots(path: string): string {
  const steps = path.split('/').slice(1)
  const kept: string[] = []
  steps.forEach((step, at) => {
    if (step === '..') kept.pop()
    if (step !== '.' && step !== '..') kept.push(step)
    else if (at === steps.length - 1) kept.push('')
  })
  return `/${kept.join('/')}`
}
