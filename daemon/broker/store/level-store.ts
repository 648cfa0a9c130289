// The store on LevelDB: one writer, commits gathered into synced batches. After any write error LevelDB may go on
// acknowledging writes that it will lose, so the database is closed and opened again before anything else is
// promised; a counter in every batch then tells whether the batch that failed is there after all.
import { Refusal } from '../../../protocol/refusals.ts'
import type { Log } from '../../log.ts'
import { seal, unseal } from './checked-value.ts'
import { metaKey } from './keys.ts'
import { openDatabase, repair, type Database } from './open.ts'
import type { Operation, Span, Store } from './store.ts'

interface Waiting {
  readonly operations: readonly Operation[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** While the disk is full, opening again is tried at most this often. */
const reopenEveryMs = 500

export class LevelStore implements Store {
  readonly #folder: string
  readonly #log: Log
  #database: Database | null
  #commitNumber: number
  #waiting: Waiting[] = []
  #writer: Promise<void> | null = null
  #closed = false
  #reopenedAt = 0

  static async open(folder: string, log: Log): Promise<LevelStore> {
    const database = await openDatabase(folder, log)
    return new LevelStore(folder, log, database, await commitNumberOf(database))
  }

  private constructor(folder: string, log: Log, database: Database, commitNumber: number) {
    this.#folder = folder
    this.#log = log
    this.#database = database
    this.#commitNumber = commitNumber
  }

  commit(operations: readonly Operation[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Refusal('shutting-down'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, resolve, reject })
      this.#writer ??= this.#write().finally(() => { this.#writer = null })
    })
  }

  async get(key: string): Promise<string | null> {
    const value = await this.#opened().get(key)
    return value === undefined ? null : unseal(value)
  }

  async *read(span: Span): AsyncIterable<readonly [string, string]> {
    for await (const [key, value] of this.#opened().iterator({ ...span })) {
      const text = unseal(value)
      if (text !== null) yield [key, text] as const
      else this.#log.error({ key }, 'a record of the queue is damaged and is passed over')
    }
  }

  /** The folder is damaged in a way that only reading it has shown. */
  async repair(reason: string): Promise<void> {
    await this.#opened().close()
    this.#database = null
    this.#database = await repair(this.#folder, this.#log, reason)
    this.#commitNumber = await commitNumberOf(this.#database)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#writer
    await this.#database?.close()
    this.#database = null
  }

  #opened(): Database {
    if (!this.#database) throw new Refusal('storage-full')
    return this.#database
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      if (await this.#writeGroup(group)) for (const { resolve } of group) resolve()
      else for (const { reject } of group) reject(new Refusal('storage-full'))
    }
  }

  async #writeGroup(group: readonly Waiting[]): Promise<boolean> {
    if (!this.#database && !(await this.#reopen())) return false
    const number = this.#commitNumber + 1
    try {
      const operations = group.flatMap(({ operations }) => operations.map((each) => (each.type === 'put' ? { ...each, value: seal(each.value) } : each)))
      await this.#opened().batch([...operations, { type: 'put', key: metaKey.commit, value: seal(String(number)) }], { sync: true })
      this.#commitNumber = number
      return true
    } catch (error) {
      this.#log.error({ err: error }, 'the queue cannot be written; it is opened again')
      await this.#database?.close()
      this.#database = null
      this.#reopenedAt = 0
      return (await this.#reopen()) && this.#commitNumber === number
    }
  }

  async #reopen(): Promise<boolean> {
    const now = performance.now()
    if (this.#reopenedAt > 0 && now - this.#reopenedAt < reopenEveryMs) return false
    this.#reopenedAt = now
    try {
      const database = await openDatabase(this.#folder, this.#log)
      this.#commitNumber = await commitNumberOf(database)
      this.#database = database
      return true
    } catch (error) {
      this.#log.error({ err: error }, 'the queue cannot be opened again yet')
      return false
    }
  }
}

async function commitNumberOf(database: Database): Promise<number> {
  const stored = await database.get(metaKey.commit)
  return stored === undefined ? 0 : Number(unseal(stored) ?? 0)
}
