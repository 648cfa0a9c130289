// A page of a list, as text: how much fits, and how it is put together.

/** A page ends here, however much was asked for: an answer is made in one piece, and everybody waits for it. */
const charactersPerPage = 512 * 1024

/** The element that makes it full is on the page. */
export function isFull(characters: number): boolean {
  return characters >= charactersPerPage
}

export function pageOf(name: 'files' | 'jobs', texts: readonly string[], nextCursor: string | null): string[] {
  const pieces = [`{"${name}":[`]
  for (const [at, text] of texts.entries()) {
    if (at > 0) pieces.push(',')
    pieces.push(text)
  }
  pieces.push(`],"nextCursor":${JSON.stringify(nextCursor)}}`)
  return pieces
}
