// Asks the disk whether it takes bytes. Opening a database writes, and one that was closed for it and cannot be opened
// again cannot be read either; so this is asked first, for as much as opening may write.
import { open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const leastBytes = 64 * 1024

/** Throws what the system says where the folder's disk does not take what opening the database in it may write. */
export async function proveRoom(folder: string): Promise<void> {
  const logs = (await readdir(folder)).filter((name) => name.endsWith('.log'))
  const sizes = await Promise.all(logs.map(async (name) => (await stat(join(folder, name))).size))
  const path = `${folder}.room`
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(Buffer.alloc(leastBytes + sizes.reduce((sum, size) => sum + size, 0)))
    await file.datasync()
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}
