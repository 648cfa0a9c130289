// What a worker writes to its stderr, as lines of bounded length: it is its owner's process, and he may write a gigabyte without an end
// of line. Control characters are taken out, so that nothing he writes can pass for something else on somebody's terminal.
import type { Readable } from 'node:stream'

const longestLine = 8192

export function readLogLines(stream: Readable, log: (line: string) => void): void {
  let rest = ''
  let isCut = false
  const say = (line: string): void => {
    const text = line.slice(0, longestLine).replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trimEnd()
    if (text !== '' && !isCut) log(text)
  }
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      say(line)
      isCut = false
    }
    if (rest.length <= longestLine) return
    // The beginning is said at once; what follows up to the end of the line is dropped.
    say(rest)
    isCut = true
    rest = ''
  })
  stream.on('end', () => say(rest))
  // The pipe ends with its process, in one way or another.
  stream.on('error', () => stream.destroy())
}
