// The partial file: opened beside the local name and never through a link, written at offsets, flushed at
// checkpoints. The invariants: only a regular file of our own with one name is ever written; what `durable` says
// was flushed before it said so; bytes beyond it count only as long as the machine runs that wrote them.
import { close, closeSync, fdatasync, fstatSync, ftruncateSync, readSync, unlinkSync, writeSync, type Stats } from 'node:fs'
import { failure } from '../../../protocol/failures.ts'
import type { ResumePoint } from '../../link/messages.ts'
import { Coverage, type Stretch } from './coverage.ts'
import { DirectWrites } from './direct-writes.ts'
import { codeOf, raise } from '../failure-from.ts'
import type { Folder } from './folders.ts'
import { fileSystemOf } from './open-file.ts'
import { identityOf, isSameOpen } from './identity.ts'
import { openOwn, refuseForeign } from './own-file.ts'
import { Space } from './space.ts'
import { canSplice, spliceInto } from './splice.ts'
import { trustedBytes } from './trusted-bytes.ts'

/** A file that is larger is written past the page cache from here on; a smaller one is often wanted at once. */
const cachedBytes = 32 * 1024 * 1024

export class PartialFile {
  readonly folder: Folder
  readonly #name: string
  #inode: string
  #fd: number
  #direct: DirectWrites | null = null
  #fileSystem: 'ext4' | 'tmpfs' | 'other' | null = null
  /** Files that a new start has left behind; a flush may still run on them. */
  readonly #replaced: number[] = []
  #written: Coverage
  #durable: Coverage
  #isNamed: boolean
  #isSequential: boolean
  #space = new Space()
  /** Counts new starts, so that a flush that began before one vouches for nothing after it. */
  #starts = 0
  #flushing: Promise<void> | null = null
  #isBroken = false
  #isClosed = false

  private constructor(folder: Folder, name: string, fd: number, stats: Stats, durable: Coverage, written: Coverage) {
    this.folder = folder
    this.#name = name
    this.#fd = fd
    this.#inode = identityOf(stats)
    this.#durable = durable
    this.#written = written
    this.#isNamed = durable.bytes > 0
    this.#isSequential = written.spans.length <= 1
  }

  /** Opens or makes `name` in `folder`, which it keeps until closed. Bytes that neither `resumePoint` nor the running machine vouches for are cut off. */
  static open(folder: Folder, name: string, resumePoint: ResumePoint | null): PartialFile {
    const { fd, isNew } = openOwn(folder.child(name))
    try {
      const stats = fstatSync(fd)
      const isKnown = resumePoint !== null && isSameOpen(resumePoint.inode, stats, fd, false)
      if (!isNew) refuseForeign(stats, isKnown ? resumePoint.inode : null)
      const durable = new Coverage(isKnown ? resumePoint.durable : []).upTo(stats.size)
      const written = isKnown && !isNew ? trustedBytes(fd, stats, resumePoint, durable) : durable.copy()
      if (!isNew && written.bytes === 0) return PartialFile.#openAnew(folder, name, fd)
      // Also where that is its size: a killed process leaves the space that it had taken beyond the end.
      if (!isNew) ftruncateSync(fd, written.end)
      return new PartialFile(folder.acquire(), name, fd, stats, durable, written)
    } catch (error) {
      close(fd)
      throw error
    }
  }

  /**
   * What starts at the first byte starts in a new file: another process may still write to the old one, and a resume point that
   * was recorded for the old one must not fit what is written now.
   */
  static #openAnew(folder: Folder, name: string, old: number): PartialFile {
    letGo(old)
    unlinkSync(folder.child(name))
    const { fd } = openOwn(folder.child(name))
    const stats = fstatSync(fd)
    close(old)
    return new PartialFile(folder.acquire(), name, fd, stats, new Coverage(), new Coverage())
  }

  /** What the file is, whatever its name; another one after a new start. */
  get inode(): string {
    return this.#inode
  }

  /** How many bytes from the start on are flushed. */
  get durable(): number {
    return this.#durable.prefix
  }

  /** All that is flushed. */
  get durableSpans(): readonly Stretch[] {
    return this.#durable.spans
  }

  get durableBytes(): number {
    return this.#durable.bytes
  }

  /** What was written or was there before, flushed or not. */
  get written(): Coverage {
    return this.#written
  }

  /** From now on bytes may come in any order: what was written can no longer be told from the file. */
  expectGaps(): void {
    this.#isSequential = false
  }

  /** What counts besides `durableSpans` if this process is killed now; `undefined`: all that the file has. */
  get vouchedFor(): readonly Stretch[] | undefined {
    // What the kernel has let go of is not there any more, though it can still be read.
    if (this.#isBroken) return []
    return this.#isSequential ? undefined : this.#written.spans
  }

  /** Writes all of `bytes` at `offset`. Blocks; throws what the system says. */
  write(bytes: Uint8Array, offset: number): void {
    this.#writeRest(bytes, this.#pastCache()?.write(bytes, offset) ?? 0, offset)
  }

  /**
   * Writes all of `bytes` at `offset` while other things go on; they must stay as they are meanwhile. They count as written in the order
   * in which that was begun. `null`: that is not possible here, and nothing was begun. Rejects with what the system says.
   */
  writeBeside(bytes: Uint8Array, offset: number): Promise<void> | null {
    const starts = this.#starts
    const writing = this.#pastCache()?.begin(bytes, offset, (done) => {
      if (this.#starts === starts) this.#writeRest(bytes, done, offset)
    })
    return writing ?? null
  }

  /** Would it rather take bytes from a socket itself? Only where that was measured, and only what goes through the page cache. */
  get takesFromSocket(): boolean {
    if (!canSplice()) return false
    const fileSystem = this.#fileSystem ??= fileSystemOf(this.#fd) ?? 'other'
    return fileSystem === 'tmpfs' || (fileSystem === 'ext4' && this.#written.bytes < cachedBytes)
  }

  /** Takes what waits in `socket`, a descriptor, at most `most` bytes, to `offset`. Gives how many those are. Throws what the system says. */
  takeFrom(socket: number, offset: number, most: number): number {
    const count = spliceInto(this.#fd, offset, socket, most)
    this.#written.add(offset, offset + count)
    return count
  }

  /** Reads into `bytes` from `offset`; gives the number of bytes there were. */
  read(bytes: Uint8Array, offset: number): number {
    return readSync(this.#fd, bytes, 0, bytes.length, offset)
  }

  /** A new, empty file for a new start. */
  startOver(): void {
    const path = this.folder.child(this.#name)
    letGo(this.#fd)
    unlinkSync(path)
    const { fd } = openOwn(path)
    this.#replaced.push(this.#fd)
    this.#direct?.close()
    this.#direct = null
    this.#fd = fd
    this.#inode = identityOf(fstatSync(this.#fd))
    this.#isNamed = false
    this.#isSequential = true
    this.#space = new Space()
    this.#written = new Coverage()
    this.#durable = new Coverage()
    this.#starts += 1
  }

  /** Sees to it that the file can have `bytes` bytes, `missing` of which are still to be written. Throws what `Space` says. */
  reserve(bytes: number, missing: number): void {
    this.#space.reserve(this.folder, this.#fd, this.#written, bytes, missing)
  }

  /** Flushes what was written when it was called, and the file's name; shares a flush that runs already. */
  async checkpoint(): Promise<void> {
    while (this.#flushing) await this.#flushing
    if (this.#isBroken) raise(failure('local-file-error', 'The local file could not be flushed to the disk.'))
    if (this.#durable.bytes === this.#written.bytes && this.#isNamed) return
    this.#flushing = this.#flush().finally(() => {
      this.#flushing = null
    })
    await this.#flushing
  }

  get isFlushing(): boolean {
    return this.#flushing !== null
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    // Closing under a running flush would flush whatever file gets the number next.
    await this.#flushing?.catch((error: unknown) => codeOf(error))
    await this.#direct?.settled().catch((error: unknown) => codeOf(error))
    this.#direct?.close()
    for (const fd of this.#replaced) close(fd)
    this.#space.giveBack(this.#fd, this.#written)
    // Only where nothing is left to be written can closing not wait for the disk; then a thread would cost more than it saves.
    if (this.#durable.bytes === this.#written.bytes) closeSync(this.#fd)
    else close(this.#fd)
    this.folder.release()
  }

  #pastCache(): DirectWrites | null {
    if (this.#written.bytes >= cachedBytes) this.#direct ??= new DirectWrites(this.#fd)
    return this.#direct
  }

  #writeRest(bytes: Uint8Array, done: number, offset: number): void {
    while (done < bytes.length) done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done)
    this.#written.add(offset, offset + bytes.length)
  }

  async #flush(): Promise<void> {
    const starts = this.#starts
    if (this.#direct) await this.#direct.settled()
    const written = this.#written.copy()
    // Side by side, so that both wait for the same commit of the journal; neither counts without the other. Both are waited for
    // whatever happens, since a file must not be closed under a running flush.
    const flushed = new Promise<void>((resolve, reject) => fdatasync(this.#fd, (error) => error ? reject(error) : resolve()))
    const [content, name] = await Promise.allSettled([flushed, this.#isNamed ? null : this.folder.sync()])
    // After a failed flush the kernel may call the lost pages clean: a later success would prove nothing.
    if (content.status === 'rejected') this.#isBroken = true
    for (const part of [content, name]) if (part.status === 'rejected') throw part.reason
    if (this.#starts !== starts) return
    this.#isNamed = true
    this.#durable = written
  }
}

/** What a file that is left behind held is free at once, whoever has it open still: the new one may need it. */
function letGo(fd: number): void {
  ftruncateSync(fd, 0)
}
