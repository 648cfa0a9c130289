// Gathers the heads of an answer from the bytes of a connection, readies them for the HTTP client, and notes what they say about
// the connection. It passes on no byte by itself.
import { headLength, hideContinue, hideLength, isHttp2, isInterim, mayBeHead, tidyHead } from './answer-head.ts'

export class HeadReader {
  #isDue = false
  /** The beginning of a head. */
  #unfinished: Buffer | null = null
  #plainLength: number | null = null
  #version: '1.0' | '1.1' | null = null
  #hasAnswered = false
  #isHttp2 = false

  /** Is what comes next a head? */
  get isDue(): boolean {
    return this.#isDue
  }

  /** Which HTTP the last answer began with. */
  get version(): '1.0' | '1.1' | null {
    return this.#version
  }

  /** Does the server speak HTTP/2, though it was asked in HTTP/1.1? */
  get isHttp2(): boolean {
    return this.#isHttp2
  }

  /** Has the server said anything that could be an answer since one was expected? */
  get hasAnswered(): boolean {
    return this.#hasAnswered
  }

  /** The client was told that there is no body, and there is one of so many bytes. */
  get plainLength(): number | null {
    return this.#plainLength
  }

  /** A new request is about to be made. */
  expect(): void {
    this.#isDue = true
    this.#hasAnswered = this.#isHttp2 = false
    this.#plainLength = this.#version = this.#unfinished = null
  }

  /** What is whole of heads, and what follows the last one. */
  take(bytes: Buffer): { readonly heads: readonly Buffer[]; readonly left: Buffer } {
    let left = this.#unfinished ? Buffer.concat([this.#unfinished, bytes]) : withoutEmptyLines(bytes)
    this.#unfinished = null
    const heads: Buffer[] = []
    while (this.#isDue && left.length > 0) {
      this.#hasAnswered = mayBeHead(left)
      this.#isHttp2 = isHttp2(left)
      const length = headLength(left)
      if (length === null) {
        this.#unfinished = Buffer.from(left)
        return { heads, left: left.subarray(left.length) }
      }
      heads.push(this.#look(Buffer.from(left.subarray(0, length))))
      left = left.subarray(length)
    }
    return { heads, left }
  }

  /** The connection has ended: gives what came of a head. */
  end(): Buffer | null {
    return this.#unfinished
  }

  #look(head: Buffer): Buffer {
    const length = hideLength(head)
    // Nearly every head is plain; any other may only be written in another way.
    const tidy = length === null && this.#hasAnswered ? tidyHead(head) : head
    if (isInterim(tidy)) hideContinue(tidy)
    else {
      this.#isDue = false
      this.#version = versionOf(tidy)
      this.#plainLength = length ?? hideLength(tidy)
    }
    return tidy
  }
}

/** Old servers let one follow a body, and it may come late. */
function withoutEmptyLines(bytes: Buffer): Buffer {
  let from = 0
  while (bytes[from] === 13 || bytes[from] === 10) from++
  return bytes.subarray(from)
}

function versionOf(head: Buffer): '1.0' | '1.1' | null {
  const begin = head.toString('latin1', 0, 8)
  return begin === 'HTTP/1.1' ? '1.1' : begin === 'HTTP/1.0' ? '1.0' : null
}
