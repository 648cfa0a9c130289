// Bytes ⇄ lines: one JSON text per line, UTF-8, ended by "\n". It knows nothing of JSON-RPC. What cannot be
// read is handed on as a problem, so that the reader of the lines can answer it; a line over the cap is never
// kept in memory: the reader stops there and takes nothing more.

export const maximumLineBytes = 1024 * 1024

export type Framed =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'not-utf8' }
  | { readonly kind: 'too-large' }

/** Of the longest line, a buffer of this share is kept for the next line. */
const keptShare = 1 / 64
const newline = 0x0a
const carriageReturn = 0x0d

export class LineReader {
  readonly #maximum: number
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  /**
   * The unfinished line, at the start of a buffer that doubles: bytes that come one by one must not cost an object each. It
   * is used again unless it is large: memory that is new costs more than what is copied into it.
   */
  #buffer = new Uint8Array(0)
  #held = 0
  #ended = false

  constructor(maximum: number = maximumLineBytes) {
    this.#maximum = maximum
  }

  /** The bytes of an unfinished line that are waiting for its end. */
  get held(): number {
    return this.#held
  }

  /** Takes the bytes as they come (they may be reused afterwards) and calls `onFramed` for each whole line, in order. */
  push(bytes: Uint8Array, onFramed: (framed: Framed) => void): void {
    let from = 0
    while (!this.#ended) {
      const end = bytes.indexOf(newline, from)
      const length = (end === -1 ? bytes.length : end) - from
      if (this.#held + length > this.#maximum) {
        this.#ended = true
        this.#buffer = new Uint8Array(0)
        this.#held = 0
        return onFramed({ kind: 'too-large' })
      }
      if (end === -1) return this.#keep(bytes.subarray(from))
      const framed = this.#decode(this.#take(bytes.subarray(from, end)))
      if (framed) onFramed(framed)
      from = end + 1
    }
  }

  #keep(part: Uint8Array): void {
    const needed = this.#held + part.length
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(this.#maximum, 2 ** Math.ceil(Math.log2(needed))))
      larger.set(this.#buffer.subarray(0, this.#held))
      this.#buffer = larger
    }
    this.#buffer.set(part, this.#held)
    this.#held = needed
  }

  /** The whole line; it is to be read before anything more is kept. */
  #take(last: Uint8Array): Uint8Array {
    if (this.#held === 0) return last
    this.#keep(last)
    const whole = this.#buffer.subarray(0, this.#held)
    if (this.#buffer.length > this.#maximum * keptShare) this.#buffer = new Uint8Array(0)
    this.#held = 0
    return whole
  }

  #decode(line: Uint8Array): Framed | null {
    const end = line.length > 0 && line[line.length - 1] === carriageReturn ? line.length - 1 : line.length
    if (end === 0) return null
    try {
      return { kind: 'line', text: this.#decoder.decode(line.subarray(0, end)) }
    } catch {
      // The decoder throws for one reason only: the bytes are not UTF-8.
      return { kind: 'not-utf8' }
    }
  }
}

export const maximumDepth = 64

/** Is this JSON text, which parses, nested deeper than `maximum`? What is in strings does not count. */
export function isTooDeep(text: string, maximum: number = maximumDepth): boolean {
  // Each level takes two characters.
  if (text.length <= 2 * maximum) return false
  let depth = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (inString) {
      if (character === 0x5c) at++
      else if (character === 0x22) inString = false
    } else if (character === 0x22) inString = true
    else if (character === 0x7b || character === 0x5b) {
      if (++depth > maximum) return true
    } else if (character === 0x7d || character === 0x5d) depth--
  }
  return false
}
