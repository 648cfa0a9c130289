// The store on LevelDB: one writer, commits gathered into synced batches. After any write error LevelDB may go on
// acknowledging writes that it will lose, so nothing more is written until the disk takes bytes again and the database
// was opened anew; until then it can be read. Whether the batch that failed is there after all, a counter in every
// batch then tells: if its callers were refused meanwhile, it is undone.
import { Refusal } from '../../../protocol/refusals.ts'
import type { Log } from '../../log.ts'
import { seal, unseal } from './checked-value.ts'
import { metaKey } from './keys.ts'
import { isDamage, openDatabase, repair, type Database } from './open.ts'
import { Place } from './place.ts'
import { proveRoom } from './room.ts'
import type { Operation, Span, Store } from './store.ts'
import { cutLastRecord } from './write-log.ts'

interface Waiting {
  readonly operations: readonly Operation[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** The batch that failed. `undo` is what its keys held before, known once it was read. */
interface Failed {
  readonly number: number
  readonly keys: readonly string[]
  readonly isDamage: boolean
  undo: readonly Operation[] | null
}

/** While nothing can be written, it is tried again at most this often. */
const tryAgainMs = 500
/** That the queue is gone is said again no more often than this. */
const sayAgainMs = 10_000
/** Entries, unless the bytes are too many before that. */
const readAtOnce = 1000

export class LevelStore implements Store {
  readonly #folder: string
  readonly #log: Log
  #database: Database | null
  #commitNumber: number
  #place: Place
  /** Somebody removed or replaced what is open: what is written there would be lost with this process. */
  #isGone = false
  #failed: Failed | null = null
  #triedAt = -Infinity
  #waiting: Waiting[] = []
  #writer: Promise<void> | null = null
  #closed = false

  static async open(folder: string, log: Log): Promise<LevelStore> {
    const database = await openDatabase(folder, log)
    return new LevelStore(folder, log, database, { commitNumber: await commitNumberOf(database), place: await Place.of(folder) })
  }

  private constructor(folder: string, log: Log, database: Database, { commitNumber, place }: { commitNumber: number; place: Place }) {
    this.#place = place
    this.#folder = folder
    this.#log = log
    this.#database = database
    this.#commitNumber = commitNumber
  }

  commit(operations: readonly Operation[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Refusal('shutting-down'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, resolve, reject })
      this.#writer ??= this.#write()
    })
  }

  async get(key: string): Promise<string | null> {
    const value = await this.#opened().get(key)
    return value === undefined ? null : this.#unsealed(key, value)
  }

  async getMany(keys: readonly string[]): Promise<(string | null)[]> {
    const values = await this.#opened().getMany([...keys])
    return keys.map((key, at) => {
      const value = values[at]
      return value === undefined ? null : this.#unsealed(key, value)
    })
  }

  async *read(span: Span): AsyncIterable<readonly [string, string]> {
    const iterator = this.#opened().iterator({ ...span })
    try {
      for (let next = iterator.nextv(readAtOnce); ;) {
        const entries = await next
        if (entries.length === 0) return
        // Read while these are looked at. If nobody wants more of them, nobody wants to know how that went.
        next = iterator.nextv(readAtOnce)
        next.catch(() => {})
        for (const [key, value] of entries) {
          const text = this.#unsealed(key, value)
          if (text !== null) yield [key, text] as const
        }
      }
    } finally {
      await iterator.close()
    }
  }

  /** The folder is damaged in a way that only reading it has shown. */
  async repair(reason: string): Promise<void> {
    await this.#database?.close()
    this.#database = null
    this.#database = await repair(this.#folder, this.#log, reason)
    this.#place = await Place.of(this.#folder)
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

  #unsealed(key: string, value: string): string | null {
    const text = unseal(key, value)
    if (text === null) this.#log.error({ key }, 'a record of the queue is damaged and is passed over')
    return text
  }

  async #write(): Promise<void> {
    // Not before `#writer` is set.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      const operations = group.flatMap((waiting) => waiting.operations)
      if (await this.#writeBatch(operations)) for (const { resolve } of group) resolve()
      else for (const { reject } of group) reject(new Refusal('storage-full'))
    }
    // In the same turn in which nothing was waiting: whoever commits next must start a writer.
    this.#writer = null
  }

  async #writeBatch(operations: readonly Operation[]): Promise<boolean> {
    if (this.#isGone) return this.#refuseGone()
    if (this.#failed && !(await this.#mend(this.#failed, false))) return false
    const number = this.#commitNumber + 1
    try {
      const [isThere] = await Promise.all([this.#place.isThere(), write(this.#opened(), sealed(operations, number))])
      this.#commitNumber = number
      this.#isGone = !isThere
      return isThere || this.#refuseGone()
    } catch (error) {
      this.#log.error({ err: error }, 'the queue cannot be written; it is opened again')
      this.#failed = { number, keys: operations.map(({ key }) => key), isDamage: isDamage(error), undo: null }
      this.#triedAt = -Infinity
      if (await this.#mend(this.#failed, true)) return this.#commitNumber === number
      await this.#withdraw(number)
      return false
    }
  }

  /** For good: a database made anew in its place would lack what only this one has. */
  #refuseGone(): false {
    const now = performance.now()
    if (now - this.#triedAt >= sayAgainMs) {
      this.#triedAt = now
      this.#log.error({ folder: this.#folder }, 'the folder of the queue was removed or replaced while it was open: nothing can be changed any more; bring it back and start the daemon again')
    }
    return false
  }

  /** Its callers are refused now, and the daemon may be killed before the database is opened again. */
  async #withdraw(number: number): Promise<void> {
    try {
      await cutLastRecord(this.#folder, seal(metaKey.commit, String(number)))
    } catch (error) {
      this.#log.error({ err: error }, 'a change that was refused may come back if the daemon is killed now')
    }
  }

  /** Makes the database fit for writing again. `isWanted`: the callers of the batch that failed still wait for it. */
  async #mend(failed: Failed, isWanted: boolean): Promise<boolean> {
    const now = performance.now()
    if (now - this.#triedAt < tryAgainMs) return false
    this.#triedAt = now
    try {
      if (this.#database) await proveRoom(this.#folder)
      await this.#openAgain(failed, isWanted)
      this.#failed = null
      return true
    } catch (error) {
      this.#log.error({ err: error }, 'the queue cannot be written yet')
      return false
    }
  }

  async #openAgain(failed: Failed, isWanted: boolean): Promise<void> {
    if (this.#database) {
      // The batch that failed is not seen here, so this is what was before it.
      failed.undo ??= await valuesOf(this.#database, failed.keys)
      const before = this.#database
      this.#database = null
      await before.close()
    }
    const database = await (failed.isDamage ? repair(this.#folder, this.#log, 'writing showed it') : openDatabase(this.#folder, this.#log))
    try {
      let number = await commitNumberOf(database)
      if (number < this.#commitNumber) this.#log.error({ commits: this.#commitNumber - number }, 'acknowledged changes of the queue were lost')
      if (number === failed.number && !isWanted) {
        await write(database, [...failed.undo ?? [], ...sealed([], ++number)])
      }
      this.#place = await Place.of(this.#folder)
      this.#commitNumber = number
      this.#database = database
    } catch (error) {
      await database.close()
      throw error
    }
  }
}

function sealed(operations: readonly Operation[], number: number): Operation[] {
  const counted: Operation[] = [...operations, { type: 'put', key: metaKey.commit, value: String(number) }]
  return counted.map((each) => (each.type === 'put' ? { type: 'put', key: each.key, value: seal(each.key, each.value) } : each))
}

/** One synced batch, put together inside LevelDB: a list of operations would be copied several times on its way there. */
async function write(database: Database, operations: readonly Operation[]): Promise<void> {
  const batch = database.batch()
  for (const each of operations) {
    if (each.type === 'put') batch.put(each.key, each.value)
    else batch.del(each.key)
  }
  await batch.write({ sync: true })
}

/** Operations that bring the keys back to what they hold now. */
async function valuesOf(database: Database, keys: readonly string[]): Promise<Operation[]> {
  const values = await database.getMany([...keys])
  return keys.map((key, at) => {
    const value = values[at]
    return value === undefined ? { type: 'del', key } : { type: 'put', key, value }
  })
}

async function commitNumberOf(database: Database): Promise<number> {
  const stored = await database.get(metaKey.commit)
  return stored === undefined ? 0 : Number(unseal(metaKey.commit, stored) ?? 0)
}
