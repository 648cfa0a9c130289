// A lock file beside the socket, held with flock(2) for as long as a daemon listens: of two that start at once one goes on. The kernel
// lets go of it when its holder dies, however that happens. The file is removed at the end; whoever locks a file makes sure afterwards
// that it is still the one under that name, so that nobody holds a lock which others no longer see.
import { closeSync, constants, fstatSync, lstatSync, openSync, unlinkSync } from 'node:fs'
import { errno, koffi, libc, systemError } from '../../libc.ts'

export interface SocketLock {
  /** The file is still there: whoever else comes finds it locked. */
  isNamed(): boolean
  /** May be called twice. */
  release(): void
}

const exclusiveAtOnce = 2 | 4

/** `null`: somebody else holds it. */
export function holdLock(path: string): SocketLock | null {
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    let isOurs = false
    try {
      refuseForeign(path, fd)
      if (!lockAtOnce(fd)) return null
      isOurs = isStillNamed(path, fd)
      if (isOurs) return held(path, fd)
    } finally {
      if (!isOurs) closeSync(fd)
    }
  }
}

/** In a folder that everybody may write, another user could make the file first and keep it locked for ever. */
function refuseForeign(path: string, fd: number): void {
  const found = fstatSync(fd)
  if (!found.isFile() || found.uid !== process.geteuid?.()) throw new Error(`the lock file ${path} is not our own`)
}

function lockAtOnce(fd: number): boolean {
  const lock = libc().func('int flock(int fd, int operation)') as (fd: number, operation: number) => number
  while (lock(fd, exclusiveAtOnce) !== 0) {
    const number = koffi().errno()
    if (errno.isWouldBlock(number)) return false
    if (!errno.isInterrupted(number)) throw systemError('flock', number)
  }
  return true
}

function held(path: string, fd: number): SocketLock {
  let isHeld = true
  return {
    isNamed: () => isHeld && isStillNamed(path, fd),
    release() {
      if (!isHeld) return
      isHeld = false
      if (isStillNamed(path, fd)) unlinkSync(path)
      closeSync(fd)
    },
  }
}

function isStillNamed(path: string, fd: number): boolean {
  const ours = fstatSync(fd)
  const there = lstatSync(path, { throwIfNoEntry: false })
  return there !== undefined && there.ino === ours.ino && there.dev === ours.dev
}
