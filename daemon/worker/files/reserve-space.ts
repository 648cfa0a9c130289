// Takes space on the disk for a file before its bytes come, so that what was begun can be ended whoever else writes meanwhile. Linux on
// ext4, where it was tried: tmpfs would fill the pages with zeros first. Elsewhere nothing is taken. The invariant: the size of
// the file stays what it is; cutting it to that size gives back what was taken beyond it.
import { errno, koffi, libc, systemError } from '../../libc.ts'
import { fileSystemOf } from './open-file.ts'

const keepSize = 1
const punchHole = 2

type Fallocate = (fd: number, mode: number, offset: number, length: number) => number
/** `null`: there is none to be had here. */
let fallocate: Fallocate | null | undefined

/** Was space taken for all of the first `bytes`? Throws what the system says of a full disk; then some of it may be taken. */
export function reserveSpace(fd: number, bytes: number): boolean {
  if (fileSystemOf(fd) !== 'ext4') return false
  fallocate = fallocate === undefined ? load() : fallocate
  if (fallocate === null) return false
  if (fallocate(fd, keepSize, 0, bytes) === 0) return true
  const number = koffi().errno()
  if (errno.isFull(number)) throw systemError('fallocate', number)
  // Whatever it has against it, writing will tell.
  return false
}

/** Gives back what was taken between `from` and `to`, where nothing was written. Where that is not possible it stays taken. */
export function giveBackSpace(fd: number, from: number, to: number): void {
  fallocate?.(fd, punchHole | keepSize, from, to - from)
}

function load(): Fallocate | null {
  try {
    return libc().func('int fallocate(int fd, int mode, int64_t offset, int64_t length)') as Fallocate
  } catch (error) {
    // Files come without it too; it must be seen, and must not stop them.
    console.error('no space can be reserved for files:', error)
    return null
  }
}
