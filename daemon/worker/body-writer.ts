// Between the network and the partial file: bytes collect in a buffer of up to 1 MiB and go to the disk in one write, or past it
// straight from the socket (`drain`). While the disk takes one buffer, or a thread hashes it, another fills; where these fall
// behind, who brings the bytes is asked to wait (`behind`). Counts, hashes and bounds on the way. The invariant: bytes are handed
// to the file in order, once, at `offset`, and never more than `limit` of them. What goes through the page cache is written here
// and now: that is copying, for which the thread pool costs more than it saves. A small file that comes in one piece goes to the
// disk from where it is.
import { failure } from '../../protocol/failures.ts'
import { giveBufferAfter, largestBuffer, RestingBuffers, takeBuffer } from './buffers.ts'
import { blockBytes } from './files/direct-writes.ts'
import { localFailure, raise } from './failure-from.ts'
import type { PartialFile } from './files/partial-file.ts'
import type { RunningHash } from './hash/running-hash.ts'

/** What one read can bring. */
const togetherBytes = 64 * 1024
/** One that the disk or the hash is at, and one that it finds next. */
const mostUnderWay = 2

export class BodyWriter {
  readonly #file: PartialFile
  readonly #hash: RunningHash | null
  readonly #expected: number | null
  /** Taken when the first byte needs it. */
  #buffer: Buffer | null = null
  /** Where the next byte of the buffer belongs in the file. */
  #offset: number
  #flushed = 0
  #filled = 0
  #limit = Infinity
  /** Until the hash is through with what it was shown last. */
  #seen: Promise<void> | null = null
  readonly #resting = new RestingBuffers()

  /** `expected` is how many bytes will come, where that is known: a small file needs no large buffer. */
  constructor(file: PartialFile, offset: number, expected: number | null, hash: RunningHash | null) {
    this.#file = file
    this.#hash = hash
    this.#offset = offset
    this.#expected = expected
    // What lies in the buffer as it will lie in the file can be written past the cache, from the second piece on.
    this.#filled = this.#flushed = offset % blockBytes
  }

  /** Bytes of the file here, written or not. */
  get received(): number {
    return this.#offset + this.#filled - this.#flushed
  }

  /** Bytes that are not in the file yet. */
  get unwritten(): number {
    return this.#filled - this.#flushed + this.#resting.bytesUnderWay
  }

  /** Does it hash what it takes? */
  get isHashing(): boolean {
    return this.#hash !== null
  }

  /** More than this in the file is fatal. */
  set limit(bytes: number) {
    this.#limit = bytes
  }

  /** Where the next bytes may be put; never empty. `null`: they may come together, and then need no place. */
  room(): Buffer | null {
    const mayComeTogether = this.#buffer === null && this.#expected !== null && this.#expected <= togetherBytes
    return mayComeTogether ? null : this.#place()
  }

  /** `count` bytes were put into the room. */
  filled(count: number): void {
    this.#filled += count
    this.#refuseBeyondLimit(this.received)
    this.#resting.throwIfFailed()
    if (this.#filled === this.#taken().length) this.#turnOver()
  }

  /** The disk or the hash has enough to do: resolves when it wants more, rejects with what went wrong. What comes before that is taken nevertheless. */
  get behind(): Promise<void> | null {
    return this.#resting.underWay < mostUnderWay ? null : this.#resting.firstRead
  }

  take(bytes: Uint8Array): void {
    if (bytes.length === this.#expected && this.#buffer === null) return this.#takeWhole(bytes)
    let from = 0
    while (from < bytes.length) {
      const room = this.#place()
      const count = Math.min(room.length, bytes.length - from)
      room.set(bytes.subarray(from, from + count))
      this.filled(count)
      from += count
    }
  }

  /** May it take what follows from the socket itself? */
  get mayDrain(): boolean {
    return this.#hash === null && this.#buffer?.length === largestBuffer && this.#file.takesFromSocket
  }

  /** Takes what waits in `socket`, a descriptor, at most `most` bytes, past the buffer. Gives how many those are. */
  drain(socket: number, most: number): number {
    this.flush()
    const count = onDisk(() => this.#file.takeFrom(socket, this.#offset, most))
    this.#offset += count
    this.#filled = this.#flushed = this.#offset % blockBytes
    this.#refuseBeyondLimit(this.received)
    return count
  }

  /** Hands everything to the file. The room stays where it is, since a socket may be about to fill it. */
  flush(): void {
    this.#resting.throwIfFailed()
    if (this.#filled === this.#flushed) return
    this.#write(this.#fresh)
    this.#flushed = this.#filled
  }

  /** Until the file has everything that it was handed. Throws what went wrong. */
  async settled(): Promise<void> {
    await this.#resting.settled()
  }

  /** Gives the buffers back; what was not flushed is dropped. */
  close(): void {
    if (this.#buffer) giveBufferAfter(this.#seen, this.#buffer)
    this.#resting.release()
    this.#buffer = null
    this.#flushed = this.#filled = 0
  }

  /** What of the buffer was not handed to the file. */
  get #fresh(): Buffer {
    return this.#taken().subarray(this.#flushed, this.#filled)
  }

  #place(): Buffer {
    return this.#taken().subarray(this.#filled)
  }

  #taken(): Buffer {
    return this.#buffer ??= takeBuffer(this.#expected === null ? null : this.#flushed + this.#expected)
  }

  #takeWhole(bytes: Uint8Array): void {
    this.#refuseBeyondLimit(this.received + bytes.length)
    this.#write(bytes)
  }

  /** The buffer is full: it is handed on, and what comes next goes to one that nobody reads. */
  #turnOver(): void {
    const [buffer, fresh] = [this.#taken(), this.#fresh]
    // Whoever brings bytes although the disk is behind waits for it here.
    const written = this.behind ? null : this.#beginWrite(fresh)
    if (!written) this.flush()
    if (written || this.#seen) this.#buffer = this.#resting.exchange({ buffer, bytes: fresh.length, written, seen: this.#seen })
    this.#filled = this.#flushed = 0
  }

  #write(bytes: Uint8Array): void {
    this.#show(bytes)
    onDisk(() => this.#file.write(bytes, this.#offset))
    this.#offset += bytes.length
  }

  /** `null`: it must be written here and now. */
  #beginWrite(bytes: Buffer): Promise<void> | null {
    const writing = this.#file.writeBeside(bytes, this.#offset)
    if (!writing) return null
    this.#show(bytes)
    this.#offset += bytes.length
    return writing
  }

  #show(bytes: Uint8Array): void {
    if (this.#hash) this.#seen = this.#hash.update(bytes)
  }

  #refuseBeyondLimit(bytes: number): void {
    if (bytes > this.#limit) raise(failure('maximum-download-bytes', 'The file is larger than the job allows.'))
  }
}

/** Names what goes wrong here, where it is certain that the disk refused and not the network. */
function onDisk<Result>(act: () => Result): Result {
  try {
    return act()
  } catch (error) {
    raise(localFailure(error))
  }
}
