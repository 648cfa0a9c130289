// Where the database lies, and whether it is still there. A mark beside the folder says that a queue was made in it, so that an emptied
// folder is told from a new one: LevelDB makes both into an empty database without a word. While the database is open, the kernel
// keeps files that somebody removed, and what is written to them is lost with the process; so each commit looks at the path.
import { open, readFile, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

function markOf(folder: string): string {
  return `${folder}.made`
}

/** Was there a queue in this folder? */
export async function isMarked(folder: string): Promise<boolean> {
  try {
    return (await readFile(markOf(folder))).length >= 0
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

/** Flushed before it resolves. */
export async function mark(folder: string): Promise<void> {
  const path = markOf(folder)
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile('A queue of Backhaul was made in the folder beside this file. If the folder is empty, its jobs are lost.\n')
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  const parent = await open(dirname(folder), 'r')
  try {
    await parent.sync()
  } finally {
    await parent.close()
  }
}

/** What a person can do about an emptied folder. */
export function emptied(folder: string): string {
  return `the queue in ${folder} is gone, though there was one: bring the folder back from a copy, or remove ${markOf(folder)} to begin with an empty queue`
}

export class Place {
  readonly #folder: string
  readonly #inode: bigint
  readonly #device: bigint

  private constructor(folder: string, inode: bigint, device: bigint) {
    this.#folder = folder
    this.#inode = inode
    this.#device = device
  }

  static async of(folder: string): Promise<Place> {
    const { ino, dev } = await stat(folder, { bigint: true })
    return new Place(folder, ino, dev)
  }

  /** Is the folder that was opened still at its path, and not emptied? */
  async isThere(): Promise<boolean> {
    try {
      const [folder] = await Promise.all([stat(this.#folder, { bigint: true }), stat(`${this.#folder}/CURRENT`)])
      return folder.ino === this.#inode && folder.dev === this.#device
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return false
      throw error
    }
  }
}
