// Opens the database folder. A damaged one is copied aside and repaired, and what was lost is said loudly; one that
// another daemon holds, that a newer version wrote or that cannot be repaired stops the start with one clear line.
// Nothing is ever replaced by an empty store in silence.
import { cp, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import type { Log } from '../../log.ts'
import { unseal, seal } from './checked-value.ts'
import { metaKey } from './keys.ts'
import { emptied, isMarked, mark } from './place.ts'
import { damageOfTables, dropDamagedBlocks } from './tables.ts'
import { damageOfLogs, hasOnlyEmptyLogs } from './write-log.ts'

// In Node `Level` is classic-level's class; the package's own types leave its static side out.
declare module 'level' {
  namespace Level {
    function repair(location: string): Promise<void>
  }
}

export type Database = Level<string, string>

/** The store cannot be used; the message is for the person who started the daemon. */
export class StoreUnusable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StoreUnusable'
  }
}

/** What the records look like. A newer program raises older records when it reads them (`records.ts`). */
export const schemaVersion = 1

export async function openDatabase(folder: string, log: Log): Promise<Database> {
  await refuseEmptied(folder)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  let damage = await damageOf(folder).catch(async (error: unknown) => {
    // A daemon that uses the folder now has just removed a file.
    await refuseLocked(folder)
    throw new StoreUnusable(`the state in ${folder} cannot be read: ${reasonOf(error)}`, error)
  })
  if (damage !== null) {
    // A daemon that uses the folder now is just writing it.
    await refuseLocked(folder)
    damage = await damageOf(folder)
  }
  if (damage?.needsRepair) return await repair(folder, log, damage.what)
  if (damage) log.error({ folder, damage: damage.what, copy: await copyAside(folder) }, 'the queue is damaged: changes may be lost; it is copied aside')
  try {
    return await openMarked(folder, log)
  } catch (error) {
    if (error instanceof StoreUnusable) throw error
    if (causeCode(error) === 'LEVEL_LOCKED') throw new StoreUnusable(`another daemon is using the state in ${folder}`, error)
    if (!isDamage(error)) throw new StoreUnusable(`the state in ${folder} cannot be opened: ${reasonOf(error)}`, error)
    return await repair(folder, log, reasonOf(error))
  }
}

/** Copies the folder aside, repairs it, opens it again. */
export async function repair(folder: string, log: Log, reason: string): Promise<Database> {
  let copy = ''
  try {
    copy = await copyAside(folder)
    log.error({ folder, copy, reason }, 'the queue is damaged: it is copied aside and repaired')
    await dropDamagedBlocks(folder)
    await Level.repair(folder)
    const database = await open(folder)
    await checkSchema(database, folder, log, 'may be new')
    return database
  } catch (error) {
    if (error instanceof StoreUnusable) throw error
    const where = copy === '' ? '' : `; a copy is in ${copy}`
    throw new StoreUnusable(`the state in ${folder} is damaged and cannot be repaired (${reasonOf(error)})${where}`, error)
  }
}

/** Did reading show that what lies on the disk is not what was written? */
export function isDamage(error: unknown): boolean {
  // The disk calls an argument invalid where a damaged table sent it to a place that no file has.
  return causeCode(error) === 'LEVEL_CORRUPTION' || causeCode(error) === 'LEVEL_INVALID_ARGUMENT' || /: Invalid argument$/.test(reasonOf(error))
}

export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}

async function openMarked(folder: string, log: Log): Promise<Database> {
  const wasMade = await isMarked(folder)
  // Every opening writes at once, so only somebody who cuts the log leaves it empty (or a crash in that very moment).
  const isCut = wasMade && await hasOnlyEmptyLogs(folder)
  const database = await open(folder)
  await checkSchema(database, folder, log, wasMade ? 'refuse an empty one' : 'may be new')
  if (isCut) log.error({ folder }, 'the write log of the queue was empty: changes that were answered may be lost')
  try {
    if (!wasMade) await mark(folder)
    return database
  } catch (error) {
    // Left open, it could not be opened again in this process.
    await database.close()
    throw error
  }
}

/** LevelDB makes a new database where nothing of one is left but its lock and its log of messages. */
async function refuseEmptied(folder: string): Promise<void> {
  if (!await isMarked(folder)) return
  const names = await readdir(folder).catch((error: unknown) => {
    if (causeCode(error) === 'ENOENT') return []
    throw error
  })
  if (!names.some((name) => /^(\d+\.(ldb|sst|log)|MANIFEST-\d+|CURRENT)$/.test(name))) throw new StoreUnusable(emptied(folder))
}

interface Damage {
  readonly what: string
  /** Otherwise LevelDB takes what checks. */
  readonly needsRepair: boolean
}

async function damageOf(folder: string): Promise<Damage | null> {
  const names = await readdir(folder)
  // Without its manifest LevelDB would begin anew and delete what is there.
  if (names.some((name) => /^(\d+\.(ldb|sst|log)|MANIFEST-\d+)$/.test(name)) && !names.includes(await currentManifest(folder, names))) {
    return { what: 'the manifest is gone', needsRepair: true }
  }
  const ofTables = await damageOfTables(folder)
  if (ofTables !== null) return { what: ofTables, needsRepair: true }
  const ofLogs = await damageOfLogs(folder)
  return ofLogs === null ? null : { what: ofLogs, needsRepair: false }
}

/** LevelDB takes its lock before it finds that it may neither make the database nor use the one that is there. */
async function refuseLocked(folder: string): Promise<void> {
  const probe: Database = new Level(folder, { createIfMissing: false, errorIfExists: true })
  const error: unknown = await probe.open().then(() => probe.close(), (refused: unknown) => refused)
  if (causeCode(error) === 'LEVEL_LOCKED') throw new StoreUnusable(`another daemon is using the state in ${folder}`, error)
}

async function currentManifest(folder: string, names: readonly string[]): Promise<string> {
  return names.includes('CURRENT') ? (await readFile(join(folder, 'CURRENT'), 'utf8')).trim() : ''
}

async function copyAside(folder: string): Promise<string> {
  const copy = `${folder}.damaged-${new Date().toISOString().replaceAll(':', '')}`
  await cp(folder, copy, { recursive: true })
  return copy
}

async function open(folder: string): Promise<Database> {
  const database: Database = new Level(folder, { keyEncoding: 'utf8', valueEncoding: 'utf8', compression: true })
  await database.open()
  return database
}

async function checkSchema(database: Database, folder: string, log: Log, when: 'may be new' | 'refuse an empty one'): Promise<void> {
  try {
    const stored = await database.get(metaKey.schema)
    // The first record of every queue: without it the others are gone too.
    if (stored === undefined && when === 'refuse an empty one') throw new StoreUnusable(emptied(folder))
    const text = stored === undefined ? null : unseal(metaKey.schema, stored)
    if (stored !== undefined && text === null) log.error({ folder, key: metaKey.schema }, 'a record of the queue is damaged and is written anew')
    if (text !== null && !(Number(text) <= schemaVersion)) {
      throw new StoreUnusable(`the state in ${folder} was written by a newer version (schema ${text}; this one reads up to ${schemaVersion})`)
    }
    // A database without one synced write cannot be opened after a power cut, and a write log that nothing was written to cannot be told
    // from one that was cut to nothing: so the first write is made at once.
    await database.put(metaKey.schema, seal(metaKey.schema, String(schemaVersion)), { sync: true })
  } catch (error) {
    await database.close()
    throw error
  }
}

function causeCode(error: unknown): string | null {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : null
}
