// The head of an answer before the HTTP client gets to see it: where it ends, and how long a plain body after it is. Pure. The client
// judges every head; but it is told that a plain body is empty, since its bytes go straight from the socket to the file, and
// the client stays good for the next answer. Only a head about which there can be no two opinions is touched; what is merely written
// in an old-fashioned way, which the client would refuse, is written anew first.

/** What begins with these may become a head; anything else is for the client at once. */
const beginning = Buffer.from('HTTP/1.')
/** The client refuses a larger one, so it is not waited for. */
const largestHead = 64 * 1024
/** Whole lines, ended as they should be and not folded (RFC 9112 §2.2, §5.2), that say nothing about the length of the body. */
const lines = String.raw`(?:(?!content-length|transfer-encoding)[^\r\n \t][^\r\n]*\r\n)*`
/** A part or the whole file, with one length. */
const plain = new RegExp(String.raw`^(HTTP/1\.[01] (?:200|206)(?: [^\r\n]*)?\r\n${lines}content-length:[ \t]*)(\d{1,15})[ \t]*\r\n${lines}\r\n$`, 'i')

/** The length of the head that `bytes` begin with; `null`: it goes on. What can be none counts as whole. */
export function headLength(bytes: Buffer): number | null {
  // A line that ends without a carriage return is wrong, and not waited on either.
  const good = bytes.indexOf('\n\r\n')
  const bad = (good === -1 ? bytes : bytes.subarray(0, good)).indexOf('\n\n')
  if (bad !== -1) return bad + 2
  if (good !== -1) return good + 3
  return bytes.length < largestHead && mayBeHead(bytes) ? null : bytes.length
}

/** Do these bytes begin as a head does, as far as they go? */
export function mayBeHead(bytes: Buffer): boolean {
  const known = Math.min(bytes.length, beginning.length)
  return beginning.compare(bytes, 0, known, 0, known) === 0
}

/** The frame that an HTTP/2 server begins with, whatever it was asked: SETTINGS, for no stream (RFC 9113 §3.4, §6.5). */
export function isHttp2(bytes: Buffer): boolean {
  return bytes.length >= 9 && bytes.readUIntBE(0, 3) % 6 === 0 && bytes[3] === 4 && bytes.readUInt32BE(5) === 0
}

/**
 * The same head as it should be written: every line ended by CRLF (RFC 9112 §2.2), none folded (§5.2), and a length that was
 * told several times told once (RFC 9110 §8.6). What contradicts itself stays as it is.
 */
export function tidyHead(head: Buffer): Buffer {
  const [first = '', ...rest] = head.toString('latin1').split(/\r?\n/)
  const lines: string[] = []
  for (const line of rest) {
    // A fold belongs to a header line; after the first line of a head there is none.
    if (lines.length > 0 && /^[ \t]/.test(line)) lines.push(`${lines.pop()} ${line.trim()}`)
    else lines.push(line)
  }
  return Buffer.from([first, ...withOneLength(lines)].join('\r\n'), 'latin1')
}

function withOneLength(lines: readonly string[]): readonly string[] {
  const isLength = (line: string): boolean => /^content-length:/i.test(line)
  const lengths = lines.filter(isLength).flatMap((line) => line.slice(line.indexOf(':') + 1).split(',')).map((text) => text.trim())
  const [length = ''] = lengths
  if (lengths.length < 2 || !/^\d+$/.test(length) || lengths.some((other) => other !== length)) return lines
  return [`Content-Length: ${length}`, ...lines.filter((line) => !isLength(line))]
}

/** An answer that only says that another will follow (RFC 9110 §15.2). */
export function isInterim(head: Buffer): boolean {
  return head[9] === 0x31
}

/**
 * An unexpected 100 may be ignored (RFC 9110 §15.2.1), but the HTTP client takes offence: it gets to see a 102.
 */
export function hideContinue(head: Buffer): void {
  if (head.toString('latin1', 9, 12) === '100') head.write('102', 9, 'latin1')
}

/** Gives how many bytes of plain body follow, and makes the head say that there are none; `null`, and nothing done: it is not as plain as that. */
export function hideLength(head: Buffer): number | null {
  const [, before = '', digits = ''] = plain.exec(head.toString('latin1')) ?? []
  const bytes = Number(digits)
  if (bytes === 0) return null
  head.fill('0', before.length, before.length + digits.length)
  return bytes
}
