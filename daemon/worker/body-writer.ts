// Between the network and the partial file: bytes collect in one reused buffer of up to 1 MiB and go to the disk
// in one write, or past it straight from the socket (`drain`). While a thread hashes one buffer another fills. Counts, hashes and bounds on the way. The invariant: bytes reach the file in order, once, at
// `offset`, and never more than `limit` of them. Writes block: this process has nothing better to do, and the
// thread pool costs more than it saves. A small file that comes in one piece goes to the disk from where it is.
import { failure } from '../../protocol/failures.ts'
import { alignedBuffer, blockBytes } from './files/direct-writes.ts'
import { localFailure, raise } from './failure-from.ts'
import type { PartialFile } from './files/partial-file.ts'
import { notComputed, seen, type RunningHash } from './hash/running-hash.ts'

const largestBuffer = 1024 * 1024
const keptBuffers = 4
/** What one read can bring. */
const togetherBytes = 64 * 1024
const spare: Buffer[] = []

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
  /** For what the hash was shown of the buffer. */
  #ticket = seen
  /** The buffer before this one, and until when the hash reads it. */
  #other: { readonly buffer: Buffer; readonly ticket: number } | null = null

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

  /** Bytes that only the buffer has. */
  get unwritten(): number {
    return this.#filled - this.#flushed
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
    const buffer = this.#taken()
    this.#filled += count
    this.#refuseBeyondLimit(this.received)
    if (this.#filled < buffer.length) return
    this.flush()
    this.#filled = this.#flushed = 0
    this.#useOther(buffer)
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
    if (this.#filled === this.#flushed) return
    this.#write(this.#taken().subarray(this.#flushed, this.#filled))
    this.#flushed = this.#filled
  }

  /** Gives the buffer back; what was not flushed is dropped. */
  close(): void {
    const isFree = this.#hash?.waitFor(this.#ticket) ?? true
    for (const buffer of [this.#buffer, this.#other?.buffer]) {
      if (isFree && buffer?.length === largestBuffer && spare.length < keptBuffers) spare.push(buffer)
    }
    this.#buffer = this.#other = null
    this.#flushed = this.#filled = 0
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

  /** Where the hash still reads what was just written, the next bytes go to another buffer, which it has seen by then. */
  #useOther(full: Buffer): void {
    if (this.#ticket === seen) return
    this.#buffer = this.#other?.buffer ?? takeBuffer(null)
    if (this.#other && this.#hash?.waitFor(this.#other.ticket) === false) raise(notComputed)
    this.#other = { buffer: full, ticket: this.#ticket }
    this.#ticket = seen
  }

  #write(bytes: Uint8Array): void {
    if (this.#hash) this.#ticket = this.#hash.update(bytes)
    onDisk(() => this.#file.write(bytes, this.#offset))
    this.#offset += bytes.length
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

function takeBuffer(expected: number | null): Buffer {
  // One byte more than expected, so that it shows if a server sends too much.
  if (expected !== null && expected + 1 < largestBuffer) return Buffer.allocUnsafeSlow(expected + 1)
  return spare.pop() ?? alignedBuffer(largestBuffer)
}
