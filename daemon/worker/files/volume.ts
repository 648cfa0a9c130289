// Where a partial file was when it was last written: told apart are a partial file that somebody removed, after which it starts
// again, and a drive that is not there, in whose place nothing may be started (`BG_E_VOLUME_CHANGED`).
import { lstatSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { failure, type Failure } from '../../../protocol/failures.ts'
import type { LocalFile, ResumePoint } from '../../link/messages.ts'
import { codeOf, localFailure, raise } from '../failure-from.ts'
import { openPlace, type Folder, type Folders, type Place } from './folders.ts'
import { isUnique } from './identity.ts'

type Note = NonNullable<ResumePoint['place']>

/** Numbers of devices hold until the machine starts again, random(4). Empty where nobody says. */
export const bootId = process.platform === 'linux' ? readBootId() : ''

const changed = failure('volume-changed', 'The drive with the partial file is not there: mount it where it was, then go on.')

export function noteOf(folder: Folder): Note {
  return { boot: bootId, device: String(folder.dev), folder: folder.identity }
}

/** Like `openPlace`. Throws `volume-changed` where the partial file is known and neither it nor its file system is there. */
export function openKnownPlace(folders: Folders, file: LocalFile): Place {
  const note = file.resumePoint?.place
  if (!note) return openPlace(folders, file.localName, file.former)
  const place = openOrSay(folders, file, note)
  if (isOn(place.folder, note) || lstatSync(place.folder.child(file.temporaryName), { throwIfNoEntry: false })) return place
  place.folder.release()
  raise(changed)
}

function openOrSay(folders: Folders, { localName, former }: LocalFile, note: Note): Place {
  try {
    return openPlace(folders, localName, former)
  } catch (error) {
    raise(withoutFolder(localFailure(error), localName, note))
  }
}

/** A folder of a drive goes with the drive. */
function withoutFolder(found: Failure, localName: string, note: Note): Failure {
  if (found.code !== 'folder-not-found') return found
  for (let path = dirname(dirname(localName)); ; path = dirname(path)) {
    try {
      return isDevice(statSync(path).dev, note) ? found : changed
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || path === '/') return found
    }
  }
}

function isOn(folder: Folder, note: Note): boolean {
  return isDevice(folder.dev, note) || (isUnique(note.folder) && note.folder === folder.identity)
}

function isDevice(device: number, note: Note): boolean {
  return note.boot !== '' && note.boot === bootId && note.device === String(device)
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch (error) {
    if (codeOf(error) === 'unknown') throw error
    return ''
  }
}
