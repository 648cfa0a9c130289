// The few zod schemas that the others share. Objects are strict: an unknown name is refused, never dropped in
// silence. Text is checked for what no name may hold: control characters and halves of surrogate pairs.
// (`import * as z`, here and everywhere: the member named `z` takes zod's messages in all languages into a bundle.)
import * as z from 'zod'

// eslint-disable-next-line no-control-regex -- finding control characters is what it is for
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/
// eslint-disable-next-line no-control-regex
const controlCharacterInText = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/
const loneSurrogate = /\p{Surrogate}/u

/** One line of text, in UTF-16 units. */
export function line(minimum: number, maximum: number): z.ZodString {
  return z.string().min(minimum).max(maximum)
    .refine((text) => !controlCharacter.test(text), 'must not hold a control character')
    .refine((text) => !loneSurrogate.test(text), 'must be well-formed Unicode')
}

/** Text of several lines: tab and line ends are allowed. */
export function prose(maximum: number): z.ZodString {
  return z.string().max(maximum)
    .refine((text) => !controlCharacterInText.test(text), 'must not hold a control character')
    .refine((text) => !loneSurrogate.test(text), 'must be well-formed Unicode')
}

export const size = z.int().nonnegative()
/** Milliseconds since 1970 UTC. */
export const instant = z.int().nonnegative()
/** Any UUID, in any case; answered in lower case. */
export const jobId = z.guid().toLowerCase()
export const cursor = line(1, 512)
export const empty = z.strictObject({})

/** An absolute http or https URL (BITS §3.3: at most 2,200 characters). */
export const remoteName = line(1, 2200).refine(isHttpUrl, 'must be an absolute http or https URL')

function isHttpUrl(text: string): boolean {
  if (text.trim() !== text || !/^https?:\/\/[^/?#]/i.test(text) || !URL.canParse(text)) return false
  return new URL(text).hostname !== ''
}

/**
 * An absolute path of a file. Whether its folder exists and is writable is asked when the transfer starts.
 * Both kinds of absolute path pass here; `isAbsoluteOn` says which of them this machine understands.
 */
export const localName = line(1, 4095)
  .refine((path) => isAbsoluteOn('linux', path) || isAbsoluteOn('win32', path), 'must be an absolute path')
  .refine((path) => !/[\\/]$/.test(path), 'must name a file, not a folder')
  .refine((path) => !/(^|\/)\.{1,2}(\/|$)/.test(path), 'must not hold "." or ".." as a folder')

export function isAbsoluteOn(platform: string, path: string): boolean {
  return platform === 'win32' ? /^([A-Za-z]:[\\/]|\\\\[^\\/?.])/.test(path) : path.startsWith('/')
}
