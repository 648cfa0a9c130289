// Looks through LevelDB's own logs (the write log and the manifest), which have one format: blocks of 32 KiB with records
// `crc32c (masked), length, type, bytes`. LevelDB passes over a damaged part of the write log without a word, and with it
// over commits that were acknowledged; so it is looked for before the database is opened. And one record can be taken back.
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c, masked } from './crc32c.ts'

const blockSize = 32 * 1024
const headerSize = 7

/** What is wrong with the logs in the folder, as a sentence for the log; `null`: nothing. */
export async function damageOfLogs(folder: string): Promise<string | null> {
  const names = (await readdir(folder)).sort()
  // The first manifest is that of a database that was not opened yet: it has no write log.
  const hasBeenOpen = names.some((name) => name.startsWith('MANIFEST-') && name !== 'MANIFEST-000001')
  if (hasBeenOpen && !names.some((name) => name.endsWith('.log'))) return 'the write log is gone'
  for (const name of names) {
    if (!/^(\d+\.log|MANIFEST-\d+)$/.test(name)) continue
    const at = firstDamage(await readFile(join(folder, name)), name.startsWith('M'))
    if (at !== null) return `${name} does not check at byte ${at}`
  }
  return null
}

/** Is there a write log, and nothing in any of them? LevelDB takes that for a database to which nothing was written. */
export async function hasOnlyEmptyLogs(folder: string): Promise<boolean> {
  const names = (await readdir(folder)).filter((name) => /^\d+\.log$/.test(name))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  return sizes.length > 0 && sizes.every((size) => size === 0)
}

/**
 * Takes the last record out of the newest write log if it holds `text`: a batch that LevelDB could not flush, and of which its
 * callers are told that it is not there, must not be found there after a crash.
 */
export async function cutLastRecord(folder: string, text: string): Promise<void> {
  const newest = (await readdir(folder)).filter((name) => /^\d+\.log$/.test(name)).sort().at(-1)
  if (newest === undefined) return
  const path = join(folder, newest)
  const log = await readFile(path)
  const at = startOfLastRecord(log)
  if (!log.subarray(at).includes(text)) return
  const file = await open(path, 'r+')
  try {
    await file.truncate(at)
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** A record is in one piece (type 1), or in a first, middle and last one (2, 3, 4), each within its block. */
function startOfLastRecord(log: Buffer): number {
  let start = 0
  for (let at = 0; log.length - at >= headerSize;) {
    const left = blockSize - (at % blockSize)
    const type = log.readUInt8(at + 6)
    if (left < headerSize) at += left
    else {
      if (type === 1 || type === 2) start = at
      at += headerSize + log.readUInt16LE(at + 4)
    }
  }
  return start
}

/**
 * Where the first record that does not check begins. An end that is cut off is what a crash leaves of the record that was
 * being written, and no damage; in a manifest, which is short and written seldom, it is looked at all the same.
 */
export function firstDamage(log: Buffer, isCutDamage: boolean): number | null {
  let at = 0
  while (log.length - at >= headerSize) {
    const left = blockSize - (at % blockSize)
    if (left < headerSize) {
      at += left
      continue
    }
    const length = log.readUInt16LE(at + 4)
    const type = log.readUInt8(at + 6)
    const isZero = type === 0 && length === 0
    const end = at + headerSize + length
    // Zeros to the end are what some file systems leave after a power cut.
    if (isZero) return !isCutDamage && log.subarray(at).every((byte) => byte === 0) ? null : at
    if (headerSize + length > left) return at
    if (end > log.length) return isCutDamage ? at : null
    if (log.readUInt32LE(at) !== masked(crc32c(log, at + 6, end))) return at
    at = end
  }
  return isCutDamage && at < log.length ? at : null
}
