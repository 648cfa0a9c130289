// Writes past the page cache. The bytes of a large file go from our buffer to the disk and are flushed a moment later anyway; through
// the cache they would be copied once more, cost twice and more of the processor time, and push out what others have there. Linux, on
// ext4, where it was measured (NFS, say, waits for each write); everywhere else, and where it turns out not to work or to hold us
// up, nothing is taken and the caller writes as usual. The invariant: what it says it took is written, though not flushed; both ways may be mixed.
import { closeSync, constants, openSync, write, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { codeOf } from '../failure-from.ts'
import { fileSystemOf, pathOf } from './open-file.ts'

// Part of every Node, and missing in its types.
declare global {
  namespace WebAssembly {
    class Memory {
      readonly buffer: ArrayBuffer
      constructor(size: { readonly initial: number; readonly maximum: number; readonly shared: boolean })
    }
  }
}

/** The largest block that disks commonly have. Place, length and address of a write must be multiples of it. */
export const blockBytes = 4096
/** Where the process waits for a write, a slow disk is better left to the cache. */
const slowMs = 50
const mostSlow = 4
const wasmPageBytes = 64 * 1024

const writeInPool = promisify(write)
const aligned = new WeakSet<object>()

/**
 * A buffer that begins where a page of memory does, which Node has no other way to ask for, and that other threads can read.
 * `bytes`: a multiple of 64 KiB.
 */
export function alignedBuffer(bytes: number): Buffer {
  const pages = bytes / wasmPageBytes
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  aligned.add(buffer)
  return Buffer.from(buffer)
}

export class DirectWrites {
  #fd: number | null
  #slow = 0
  /** Settles when nothing is under way any more. */
  #underWay: Promise<void> | null = null

  /** `fd`: the file, open in the usual way. */
  constructor(fd: number) {
    this.#fd = openDirect(fd)
  }

  /** Writes what it can of `bytes` at `offset`, and gives how many those are. Throws what the system says. */
  write(bytes: Uint8Array, offset: number): number {
    const count = this.#fitting(bytes, offset)
    if (this.#fd === null || count === 0) return 0
    const begunAt = performance.now()
    try {
      return writeSync(this.#fd, bytes, 0, count, offset)
    } catch (error) {
      return this.#refused(error)
    } finally {
      if (performance.now() - begunAt > slowMs && ++this.#slow >= mostSlow) this.close()
    }
  }

  /**
   * The same while other things go on; `bytes` must stay as they are meanwhile. `null`: it can take nothing. When it, and all that was begun
   * before, is written, `then` is told how much it took; what that throws is thrown.
   */
  begin(bytes: Uint8Array, offset: number, then: (count: number) => void): Promise<void> | null {
    const count = this.#fitting(bytes, offset)
    if (this.#fd === null || count === 0) return null
    const writing = writeInPool(this.#fd, bytes, 0, count, offset).then(({ bytesWritten }) => bytesWritten, (error: unknown) => this.#refused(error))
    const inOrder = async (before: Promise<void> | null): Promise<void> => {
      // Both are waited for whatever happens: the descriptor must not be closed under a write.
      const [, own] = await Promise.allSettled([before, writing])
      await before
      if (own.status === 'rejected') throw own.reason
      then(own.value)
    }
    const written = this.#underWay = inOrder(this.#underWay)
    return written
  }

  /** Until all is written that was begun. Throws what the system said of it. */
  async settled(): Promise<void> {
    await this.#underWay
  }

  /** Takes nothing any more. */
  close(): void {
    const fd = this.#fd
    this.#fd = null
    if (fd === null) return
    if (this.#underWay) void this.#underWay.catch(() => {}).then(() => closeSync(fd))
    else closeSync(fd)
  }

  #fitting(bytes: Uint8Array, offset: number): number {
    const isFitting = aligned.has(bytes.buffer) && bytes.byteOffset % blockBytes === 0 && offset % blockBytes === 0
    return isFitting ? bytes.length - bytes.length % blockBytes : 0
  }

  /** The disk wants something else than we have: nothing was taken, and nothing will be. */
  #refused(error: unknown): number {
    if (codeOf(error) !== 'EINVAL') throw error
    this.close()
    return 0
  }
}

function openDirect(fd: number): number | null {
  try {
    return fileSystemOf(fd) === 'ext4' ? openSync(pathOf(fd), constants.O_WRONLY | constants.O_DIRECT) : null
  } catch (error) {
    // Whatever the system has against it: the file itself is open.
    if (codeOf(error) === 'unknown') throw error
    return null
  }
}
