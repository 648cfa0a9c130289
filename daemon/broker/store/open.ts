// Opens the database folder. A damaged one is copied aside and repaired, and what was lost is said loudly; one that
// another daemon holds, that a newer version wrote or that cannot be repaired stops the start with one clear line.
// Nothing is ever replaced by an empty store in silence.
import { cp, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import type { Log } from '../../log.ts'
import { unseal, seal } from './checked-value.ts'
import { metaKey } from './keys.ts'

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
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const existed = await exists(join(folder, 'CURRENT'))
  try {
    const database = await open(folder)
    await checkSchema(database, folder)
    return database
  } catch (error) {
    if (error instanceof StoreUnusable) throw error
    const code = causeCode(error)
    if (code === 'LEVEL_LOCKED') throw new StoreUnusable(`another daemon is using the state in ${folder}`, error)
    if (code !== 'LEVEL_CORRUPTION' && !(existed && code === 'LEVEL_INVALID_ARGUMENT')) throw new StoreUnusable(`the state in ${folder} cannot be opened: ${reasonOf(error)}`, error)
    return await repair(folder, log, reasonOf(error))
  }
}

/** Copies the folder aside, repairs it, opens it again. */
export async function repair(folder: string, log: Log, reason: string): Promise<Database> {
  const copy = `${folder}.damaged-${new Date().toISOString().replaceAll(':', '')}`
  log.error({ folder, copy, reason }, 'the queue is damaged: it is copied aside and repaired')
  try {
    await cp(folder, copy, { recursive: true })
    await Level.repair(folder)
    const database = await open(folder)
    await checkSchema(database, folder)
    return database
  } catch (error) {
    if (error instanceof StoreUnusable) throw error
    throw new StoreUnusable(`the state in ${folder} is damaged and cannot be repaired (${reasonOf(error)}); a copy is in ${copy}`, error)
  }
}

async function open(folder: string): Promise<Database> {
  const database: Database = new Level(folder, { keyEncoding: 'utf8', valueEncoding: 'utf8', compression: true })
  await database.open()
  return database
}

async function checkSchema(database: Database, folder: string): Promise<void> {
  const stored = await database.get(metaKey.schema)
  const found = stored === undefined ? null : Number(unseal(stored))
  if (found !== null && (!Number.isInteger(found) || found > schemaVersion)) {
    await database.close()
    throw new StoreUnusable(`the state in ${folder} was written by a newer version (schema ${found}; this one reads up to ${schemaVersion})`)
  }
  // A database without one synced write cannot be opened after a power cut, so the first write is made at once.
  if (found === null) await database.put(metaKey.schema, seal(String(schemaVersion)), { sync: true })
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false)
}

function causeCode(error: unknown): string | null {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : null
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}
