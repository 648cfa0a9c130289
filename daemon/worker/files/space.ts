// The space that a partial file has on the disk before its bytes come: taken where that is possible, given back where it was not used.
import { ftruncateSync, statfsSync } from 'node:fs'
import { failure } from '../../../protocol/failures.ts'
import { codeOf, localFailure, raise } from '../failure-from.ts'
import type { Coverage } from './coverage.ts'
import type { Folder } from './folders.ts'
import { giveBackSpace, reserveSpace } from './reserve-space.ts'

export class Space {
  /** So many bytes from the start on have their place on the disk. */
  #reserved = 0

  /**
   * Sees to it that the file can have `bytes` bytes, `missing` of which are still to be written. Asks first, since taking more than
   * there is would fill the disk for everybody until it fails. Throws `disk-full` or `quota-exceeded`; then nothing is taken.
   */
  reserve(folder: Folder, fd: number, written: Coverage, bytes: number, missing: number): void {
    if (bytes <= this.#reserved) return
    const { blocks, bavail, bsize } = statfsSync(folder.child('.'))
    // Where the system does not know how many there are, there is nothing to be asked.
    if (blocks > 0 && bavail * bsize < missing) raise(failure('disk-full', 'There is not enough space on the disk of the local name.'))
    try {
      if (reserveSpace(fd, bytes)) this.#reserved = bytes
    } catch (error) {
      this.#cut(fd, written)
      raise(localFailure(error))
    }
  }

  /** What was taken and not used. A disk that fails at this keeps it until the next attempt. */
  giveBack(fd: number, written: Coverage): void {
    if (this.#reserved <= written.bytes) return
    try {
      this.#cut(fd, written)
      for (const [from, to] of written.gaps()) giveBackSpace(fd, from, to)
    } catch (error) {
      if (codeOf(error) === 'unknown') throw error
    }
  }

  /** To what was written; beyond it space may have been taken. */
  #cut(fd: number, written: Coverage): void {
    ftruncateSync(fd, written.end)
    this.#reserved = 0
  }
}
