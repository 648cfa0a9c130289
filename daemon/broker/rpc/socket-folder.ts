// The folder that the socket lies in: made when it is missing, and otherwise looked at before anything is trusted to it. Whoever can
// write it can put another socket under our name, and clients would talk to that one. It changes nothing about a folder that was
// there before: that may be anybody's home.
import { chmodSync, lstatSync, mkdirSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'

/** `mode`: the permissions of the folder and of its missing parents, where they are made; without `makesParents` those must be there. */
export function prepareFolder(folder: string, mode: number, makesParents: boolean): void {
  if (makeFolder(folder, mode, makesParents)) chmodSync(folder, mode)
  const found = lstatSync(folder)
  const self = process.geteuid?.()
  if (!isFolder(folder, found)) throw new Error(`${folder} is not a folder`)
  if (found.uid !== self && found.uid !== 0) throw new Error(`the folder ${folder} belongs to somebody else (uid ${found.uid})`)
  // In a sticky folder others may add, and not replace what is ours.
  const isOpen = (found.mode & 0o022) !== 0 && (found.mode & 0o1000) === 0
  if (isOpen && found.isDirectory()) throw new Error(`the folder ${folder} can be written by others than its owner`)
}

/** True when it was not there. */
function makeFolder(folder: string, mode: number, makesParents: boolean): boolean {
  try {
    mkdirSync(folder, { mode })
    return true
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST') return false
    if (code !== 'ENOENT' || !makesParents || dirname(folder) === folder) throw error
    mkdirSync(dirname(folder), { recursive: true, mode })
    return makeFolder(folder, mode, false)
  }
}

/** A link is somebody's way to send us elsewhere, unless it is one of the system's own, like /tmp on macOS. */
function isFolder(folder: string, found: Stats): boolean {
  if (found.isSymbolicLink() && found.uid !== 0) throw new Error(`the folder ${folder} is a symbolic link`)
  return found.isDirectory() || found.isSymbolicLink()
}
