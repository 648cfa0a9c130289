// The folder of the queue: made where it is missing, and in system mode refused where it is not root's alone. Whoever can write
// it decides what root does next, and whoever can read it reads other users' queues.
import { lstatSync, mkdirSync, type Stats } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** @throws an error whose message is for the person who started the daemon */
export function openStateFolder(path: string, mode: 'system' | 'user'): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  if (mode !== 'system' || process.getuid?.() !== 0) return
  const state = lstatSync(path)
  if (!state.isDirectory()) throw new Error(`the state folder ${path} is not a folder; in system mode it must be one, and no link`)
  if (state.uid !== 0 || (state.mode & 0o077) !== 0) {
    throw new Error(`the state folder ${path} must be root's alone: chown root ${path} && chmod 0700 ${path}`)
  }
  for (let above = dirname(resolve(path)); ; above = dirname(above)) {
    const found = lstatSync(above)
    if (found.uid !== 0 || isOpen(found)) throw new Error(`the state folder ${path} could be replaced: ${above} can be written by others than root`)
    if (above === dirname(above)) return
  }
}

/** In a folder with the sticky bit nobody replaces what is another's. */
function isOpen({ mode, gid }: Stats): boolean {
  return (mode & 0o1000) === 0 && ((mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0))
}
