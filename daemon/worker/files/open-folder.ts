// Opens the folder of a local name, step by step, looking at every link on the way: another user's link may not decide where our
// bytes go. Followed is a link of root, one of our own, and one that the owner of its folder put there; the last not by root, and not for
// a job that was taken over. What fs.protected_symlinks does for sticky folders holds here on every system, for every folder.
// Linux only, where an opened folder has a path; elsewhere the folder is opened as it is named.
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs'
import { failure } from '../../../protocol/failures.ts'
import { childPath, hasOpenFolderPaths } from './child-path.ts'
import { raise } from '../failure-from.ts'
import { refuseUnsearchable, refuseUnwritable, type Former } from './former-owners.ts'

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants
/** open(2): only a place in the tree, for which no right to read is needed. Node has no name for it; the same number on every Linux but alpha, sparc and parisc. */
const O_PATH = 0o10000000
/** As the kernel does, path_resolution(7). */
const mostLinks = 40

/** The descriptor of the folder, open for reading. Throws what the system says, and `not-a-regular-file` for a link that is not followed. */
export function openFolder(path: string, former?: Former): number {
  if (!hasOpenFolderPaths) return openAsNamed(path, former)
  let at = openSync('/', O_PATH | O_DIRECTORY)
  let links = 0
  const steps = stepsOf(path)
  try {
    for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
      const next = openSync(child(at, step), O_PATH | O_NOFOLLOW)
      const stats = fstatSync(next)
      if (!stats.isSymbolicLink()) {
        closeSync(at)
        at = next
        if (former) refuseUnsearchable(stats, former)
        continue
      }
      closeSync(next)
      if (++links > mostLinks) raise(failure('not-a-regular-file', 'The folder of the local name lies behind too many links.'))
      const target = targetOf(at, step, stats, former !== undefined)
      steps.unshift(...stepsOf(target))
      if (!target.startsWith('/')) continue
      closeSync(at)
      at = openSync('/', O_PATH | O_DIRECTORY)
    }
    if (former) refuseUnwritable(fstatSync(at), former)
    return openSync(child(at, '.'), O_RDONLY | O_DIRECTORY)
  } finally {
    closeSync(at)
  }
}

function openAsNamed(path: string, former: Former | undefined): number {
  const fd = openSync(path, O_RDONLY | O_DIRECTORY)
  try {
    if (former) refuseUnwritable(fstatSync(fd), former)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** What a link says, if it is one to follow. It is looked at again after it was read, so that it is the same one. */
function targetOf(folder: number, name: string, link: Stats, isTakenOver: boolean): string {
  const self = process.geteuid?.() ?? 0
  const isTrusted = link.uid === 0 || link.uid === self || (self !== 0 && !isTakenOver && link.uid === fstatSync(folder).uid)
  if (!isTrusted) raise(failure('access-denied', 'The folder of the local name lies behind a link of somebody else.'))
  const target = readlinkSync(child(folder, name))
  const now = lstatSync(child(folder, name))
  if (now.ino !== link.ino || now.dev !== link.dev) raise(failure('local-file-changed', 'The folder of the local name was exchanged while it was opened.'))
  return target
}

function stepsOf(path: string): string[] {
  return path.split('/').filter((step) => step !== '' && step !== '.')
}

function child(fd: number, name: string): string {
  return childPath({ fd, path: '' }, name)
}
