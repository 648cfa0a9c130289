// The folders of local names, open while they are in use and for a while after, so that many files of one folder
// cost one open and one flush. A kept folder is given out again only if its path still leads to it.
import { closeSync, fstatSync, fsync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { failure } from '../../../protocol/failures.ts'
import { childPath } from './child-path.ts'
import { codeOf, raise } from '../failure-from.ts'
import { identityOf } from './identity.ts'
import { refuseForeignTarget, type Former } from './former-owners.ts'
import { openFolder } from './open-folder.ts'

const keptOpen = 32

export interface Place {
  readonly folder: Folder
  /** The name inside the folder. */
  readonly name: string
}

/**
 * Opens the folder of a local name. Give it back with `folder.release()`. `former`: who gave the name, where that was not the owner.
 * Throws what the system says.
 */
export function openPlace(folders: Folders, localName: string, former?: Former): Place {
  const name = basename(localName)
  if (name === '' || name === '.' || name === '..' || localName.endsWith('/')) raise(failure('not-a-regular-file', 'The local name names a folder.'))
  if (!former) return { folder: folders.open(dirname(localName)), name }
  // Not one of those that are kept: they may lie behind somebody's link.
  const folder = new Folder(dirname(localName), former)
  try {
    refuseForeignTarget(folder, name, former)
    return { folder, name }
  } catch (error) {
    folder.release()
    throw error
  }
}

export class Folders {
  readonly #open = new Map<string, Folder>()
  /** Looked at in this turn of the event loop: the orders that come together are often about one folder. */
  readonly #lookedAt = new Set<Folder>()

  open(path: string): Folder {
    const known = this.#open.get(path)
    if (known) {
      // Last used, last in the row.
      this.#open.delete(path)
      if (this.#isWhereItWas(known)) {
        this.#open.set(path, known)
        return known.acquire()
      }
      known.release()
    }
    const folder = new Folder(path)
    this.#open.set(path, folder.acquire())
    for (const [oldest, kept] of this.#open) {
      if (this.#open.size <= keptOpen) break
      this.#open.delete(oldest)
      kept.release()
    }
    return folder
  }

  #isWhereItWas(folder: Folder): boolean {
    if (this.#lookedAt.has(folder)) return true
    const now = statSync(folder.path, { throwIfNoEntry: false })
    if (now?.dev !== folder.dev || now.ino !== folder.ino) return false
    if (this.#lookedAt.size === 0) setImmediate(() => this.#lookedAt.clear())
    this.#lookedAt.add(folder)
    return true
  }

  close(): void {
    for (const folder of this.#open.values()) folder.release()
    this.#open.clear()
  }
}

export class Folder {
  readonly path: string
  readonly fd: number
  readonly dev: number
  readonly ino: number
  /** Which folder it is, also when its disk comes back as another device. */
  readonly identity: string
  #users = 1
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null

  constructor(path: string, former?: Former) {
    this.path = path
    this.fd = openFolder(path, former)
    const stats = fstatSync(this.fd)
    this.dev = stats.dev
    this.ino = stats.ino
    this.identity = identityOf({ ino: stats.ino, birthtimeMs: stats.birthtimeMs })
  }

  child(name: string): string {
    return childPath(this, name)
  }

  /** Flushes the names in the folder. Callers that come while one flush runs share the next. */
  sync(): Promise<void> {
    if (!this.#running) return this.#startSync()
    this.#next ??= this.#running.then(() => this.#startSync(), () => this.#startSync())
    return this.#next
  }

  acquire(): this {
    this.#users += 1
    return this
  }

  release(): void {
    this.#users -= 1
    if (this.#users === 0) closeSync(this.fd)
  }

  #startSync(): Promise<void> {
    this.#next = null
    this.acquire()
    const running = new Promise<void>((resolve, reject) => {
      fsync(this.fd, (error) => {
        // Some file systems cannot flush a folder and say so; there is nothing more to be had there.
        if (!error || codeOf(error) === 'EINVAL' || codeOf(error) === 'ENOTSUP') resolve()
        else reject(error)
      })
    })
    this.#running = running
    const finished = (): void => {
      if (this.#running === running) this.#running = null
      this.release()
    }
    running.then(finished, finished)
    return running
  }
}
