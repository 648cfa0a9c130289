// Gives a file another name in its folder, unless that is taken: one step of the file system, so nobody can take the name in between.
// renameat2(2) with RENAME_NOREPLACE; where system or file system has none (macOS, NFS), link(2), which never replaces either, and
// then the first name goes. A crash between the two leaves both names, which `publishFile` knows.
import { linkSync, unlinkSync } from 'node:fs'
import { errno, koffi, libc, systemError } from '../../libc.ts'
import { codeOf } from '../failure-from.ts'

type Rename = (fromFolder: number, from: string, toFolder: number, to: string, flags: number) => number

const currentFolder = -100
const noReplace = 1

/** `null`: the C library has no such call. */
let rename: Rename | null | undefined

/** `false`: the name is taken, and nothing was changed. Throws what the system says. */
export function renameIfFree(from: string, to: string): boolean {
  rename = rename === undefined ? findRename() : rename
  if (rename) {
    if (rename(currentFolder, from, currentFolder, to, noReplace) === 0) return true
    const number = koffi().errno()
    if (number === koffi().os.errno['EEXIST']) return false
    if (!errno.isRefused(number)) throw systemError('renameat2', number)
  }
  return linkIfFree(from, to)
}

export function linkIfFree(from: string, to: string): boolean {
  try {
    linkSync(from, to)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
  unlinkSync(from)
  return true
}

function findRename(): Rename | null {
  if (process.platform !== 'linux') return null
  try {
    return libc().func('int renameat2(int, const char *, int, const char *, unsigned int)') as Rename
  } catch {
    return null
  }
}
