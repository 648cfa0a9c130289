// Moves the bytes of a plain body from its socket into a file without bringing them into this process: splice(2), through a pipe.
// That is one copy instead of two. Linux only; where it does not work nothing is moved, and the caller reads and writes as usual.
// The invariant: the pipe is empty between two calls, so what came out of a socket is in the file, or an error says that it is not.
import { readSync, writeSync } from 'node:fs'
import { errno, koffi, libc } from '../../libc.ts'

const move = 1
const nonBlocking = 2
const closeOnExec = 0o2000000
const setPipeSize = 1031
/** What an ordinary user may have; with less it takes more calls. */
const pipeBytes = 1024 * 1024

type Splice = (from: number, fromOffset: null, to: number, toOffset: BigInt64Array | null, bytes: number, flags: number) => number

/** `null`: there is none to be had here. */
let pipe: Pipe | null | undefined

/** Has the system splice(2), as far as is known? */
export function canSplice(): boolean {
  return process.platform === 'linux' && pipe !== null
}

/** Moves what waits in `socket`, at most `most` bytes, to `offset` of `file`. Gives how many; 0: none wait, or it cannot. Throws what the system says of the file. */
export function spliceInto(file: number, offset: number, socket: number, most: number): number {
  pipe = pipe === undefined ? openPipe() : pipe
  let moved = 0
  for (let count = 0; pipe && moved < most; moved += count) {
    count = pipe.fill(socket, most - moved)
    if (count <= 0) break
    pipe.empty(file, offset + moved, count)
  }
  return moved
}

class Pipe {
  readonly #splice: Splice
  readonly #readEnd: number
  readonly #writeEnd: number
  readonly #offset = new BigInt64Array(1)

  constructor(splice: Splice, readEnd: number, writeEnd: number) {
    this.#splice = splice
    this.#readEnd = readEnd
    this.#writeEnd = writeEnd
  }

  /** Whatever is wrong with the socket, its reader will be told; where the system refuses the call, it is not made again. */
  fill(socket: number, most: number): number {
    const count = this.#splice(socket, null, this.#writeEnd, null, Math.min(most, pipeBytes), move | nonBlocking)
    if (count < 0 && errno.isRefused(koffi().errno())) pipe = null
    return count
  }

  empty(file: number, offset: number, bytes: number): void {
    for (let done = 0; done < bytes;) {
      this.#offset[0] = BigInt(offset + done)
      const count = this.#splice(this.#readEnd, null, file, this.#offset, bytes - done, move)
      if (count <= 0) return this.#copy(file, offset + done, bytes - done)
      done += count
    }
  }

  /** The usual way, which says what is wrong, if anything is. */
  #copy(file: number, offset: number, bytes: number): void {
    const left = Buffer.allocUnsafe(bytes)
    for (let done = 0; done < bytes;) done += readSync(this.#readEnd, left, done, bytes - done, null)
    for (let done = 0; done < bytes;) done += writeSync(file, left, done, bytes - done, offset + done)
  }
}

function openPipe(): Pipe | null {
  try {
    const ends = new Int32Array(2)
    if (libc().func('int pipe2(void *ends, int flags)')(ends, closeOnExec) !== 0) return null
    const [readEnd = -1, writeEnd = -1] = ends
    libc().func('int fcntl(int fd, int command, int argument)')(writeEnd, setPipeSize, pipeBytes)
    const splice = libc().func('int64_t splice(int from, void *fromOffset, int to, void *toOffset, size_t bytes, uint flags)') as Splice
    return new Pipe(splice, readEnd, writeEnd)
  } catch (error) {
    // Files come without it too; it must be seen, and must not stop them.
    console.error('no pipe for splice(2):', error)
    return null
  }
}
