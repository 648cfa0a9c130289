// What a worker writes to its stderr, as lines of bounded length and number: it is its owner's process, and he may write a gigabyte
// without an end of line, or a million lines a second. Control characters are taken out, so that nothing he writes can pass for something
// else on somebody's terminal. Who writes too much is read slowly, and what he said then is counted and not logged.
import type { Readable } from 'node:stream'

const longestLine = 8192
const windowMs = 1000
const linesPerWindow = 100
const bytesPerWindow = 256 * 1024

export function readLogLines(stream: Readable, log: (line: string) => void): void {
  let rest = ''
  let isCut = false
  let lines = 0
  let bytes = 0
  let window: NodeJS.Timeout | null = null
  const next = (): void => {
    if (lines > linesPerWindow) log(`${lines - linesPerWindow} lines more were not logged`)
    window = null
    lines = bytes = 0
    stream.resume()
  }
  const say = (line: string): void => {
    const text = line.slice(0, longestLine).replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trimEnd()
    if (text !== '' && !isCut && ++lines <= linesPerWindow) log(text)
  }
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    window ??= setTimeout(next, windowMs)
    bytes += chunk.length
    if (bytes > bytesPerWindow) stream.pause()
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      say(part)
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
  stream.on('close', () => {
    if (window) clearTimeout(window)
  })
}
