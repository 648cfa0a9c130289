// From a URL to a local name. Pure but for asking whether the given path is a folder. What the URL says can only
// ever become a name inside the folder, never a way out of it.
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'

const longestNameBytes = 200

/** The last segment of the URL's path, percent-decoded, as a name that every file system takes. */
export function nameFromUrl(url: string): string {
  const segment = URL.canParse(url) ? new URL(url).pathname.split('/').at(-1) ?? '' : ''
  const name = decode(segment)
    // eslint-disable-next-line no-control-regex -- finding control characters is what it is for
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069/\\\p{Surrogate}]/gu, '_')
    .replace(process.platform === 'win32' ? /[<>:"|?*]|[. ]+$/g : '', '')
    .trim()
  return name === '' || /^\.+$/.test(name) ? 'download' : cut(name)
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    // Not percent-encoded UTF-8: then the text as it stands is the name.
    return segment
  }
}

function cut(name: string): string {
  let short = name
  while (Buffer.byteLength(short) > longestNameBytes) short = [...short].slice(0, -1).join('')
  return short
}

/** Absolute: the given path, or, where it is a folder or ends like one, the URL's name inside it. */
export async function localNameFor(url: string, given: string | undefined): Promise<string> {
  if (given === undefined) return resolve(nameFromUrl(url))
  const isFolder = /[\\/]$/.test(given) || await stat(given).then((found) => found.isDirectory(), () => false)
  return isFolder ? join(resolve(given), nameFromUrl(url)) : resolve(given)
}
