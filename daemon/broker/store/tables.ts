// Looks through LevelDB's tables and takes damaged blocks out of them. Every block has a checksum, which LevelDB does not look
// at when it reads (classic-level has no option for it): one changed key could end a walk over the keys early without a word,
// and keys out of order end the whole process when a table is written anew.
// Format: blocks `bytes, type, crc32c (masked)`; at the end a footer that says where the index lies, which says where all lie.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c, masked } from './crc32c.ts'
import { unpack } from './snappy.ts'

const footerSize = 48
const trailerSize = 5

interface Span {
  readonly from: number
  readonly size: number
}

interface Entry {
  /** Its key begins with as many bytes of the key before, and goes on with these. */
  readonly shared: number
  readonly rest: Span
  readonly block: Span
}

/** The content of an index, unpacked, and what it says. */
interface Index {
  readonly content: Buffer
  readonly entries: readonly Entry[]
}

/** What is wrong with the tables in the folder, as a sentence for the log; `null`: nothing. */
export async function damageOfTables(folder: string): Promise<string | null> {
  for (const name of await tablesIn(folder)) {
    const table = await readFile(join(folder, name))
    const index = indexOf(table)
    if (!index?.entries.every(({ block }) => isWholeBlock(table, block)) || !isMetaWhole(table)) return `the table ${name} does not check`
  }
  return null
}

/** Leaves in each table what checks, and removes a table whose index does not. */
export async function dropDamagedBlocks(folder: string): Promise<void> {
  for (const name of await tablesIn(folder)) {
    const path = join(folder, name)
    const table = await readFile(path)
    const entries = keyedEntries(indexOf(table))
    const whole = entries.filter(({ block }) => isWholeBlock(table, block))
    if (whole.length === 0) await rm(path)
    else if (whole.length !== entries.length || !isMetaWhole(table)) await writeFile(path, withEntries(table, whole), { flush: true })
  }
}

async function tablesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /^\d+\.(ldb|sst)$/.test(name)).sort()
}

function footerOf(table: Buffer): { readonly meta: Span; readonly index: Span } {
  const reader = new Reader(table, table.length - footerSize)
  return { meta: reader.span(), index: reader.span() }
}

/** Filters too: a damaged one hides keys that are there. */
function isMetaWhole(table: Buffer): boolean {
  const filters = table.length < footerSize ? null : readIndex(table, footerOf(table).meta)
  return filters?.entries.every(({ block }) => isWholeBlock(table, block)) ?? false
}

function isWholeBlock(table: Buffer, { from, size }: Span): boolean {
  const end = from + size
  return end + trailerSize <= table.length && table.readUInt32LE(end + 1) === masked(crc32c(table, from, end + 1))
}

/** `null` where it does not check. */
function indexOf(table: Buffer): Index | null {
  return table.length < footerSize ? null : readIndex(table, footerOf(table).index)
}

function readIndex(table: Buffer, at: Span): Index | null {
  if (!isWholeBlock(table, at)) return null
  const bytes = table.subarray(at.from, at.from + at.size)
  const content = table[at.from + at.size] === 0 ? bytes : unpack(bytes)
  if (content === null || content.length < 4) return null
  const end = content.length - 4 - 4 * content.readUInt32LE(content.length - 4)
  const entries: Entry[] = []
  const reader = new Reader(content, 0)
  while (reader.at < end) {
    const shared = reader.number()
    const size = reader.number()
    const next = reader.number() + reader.at + size
    const rest = { from: reader.at, size }
    reader.at += size
    entries.push({ shared, rest, block: reader.span() })
    reader.at = next
  }
  return { content, entries }
}

interface KeyedEntry {
  readonly key: Buffer
  readonly block: Span
}

function keyedEntries(index: Index | null): KeyedEntry[] {
  let key = Buffer.alloc(0)
  return index?.entries.map(({ shared, rest, block }) => {
    key = Buffer.concat([key.subarray(0, shared), index.content.subarray(rest.from, rest.from + rest.size)])
    return { key, block }
  }) ?? []
}

/** The same blocks with another index, and without filters. */
function withEntries(table: Buffer, entries: readonly KeyedEntry[]): Buffer {
  const places: number[] = []
  let length = 0
  const pieces = entries.map(({ key, block }) => {
    const place = Buffer.from([...varint(block.from), ...varint(block.size)])
    const piece = Buffer.concat([Buffer.from([0, ...varint(key.length), ...varint(place.length)]), key, place])
    places.push(length)
    length += piece.length
    return piece
  })
  const index = sealedBlock(Buffer.concat([...pieces, words([...places, places.length])]))
  const meta = sealedBlock(words([0, 1]))
  const footer = Buffer.alloc(footerSize)
  const indexFrom = table.length + meta.length
  const at = Buffer.from([...varint(table.length), ...varint(meta.length - trailerSize), ...varint(indexFrom), ...varint(index.length - trailerSize)])
  at.copy(footer)
  footer.writeBigUInt64LE(0xdb4775248b80fb57n, footerSize - 8)
  return Buffer.concat([table, meta, index, footer])
}

function sealedBlock(content: Buffer): Buffer {
  const typed = Buffer.concat([content, Buffer.from([0])])
  return Buffer.concat([typed, words([masked(crc32c(typed))])])
}

function words(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4)
  numbers.forEach((number, at) => bytes.writeUInt32LE(number, at * 4))
  return bytes
}

function varint(number: number): number[] {
  const bytes: number[] = []
  for (; number >= 128; number = Math.floor(number / 128)) bytes.push((number % 128) + 128)
  return [...bytes, number]
}

class Reader {
  readonly #bytes: Buffer
  at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  /** Seven bits a byte, the low ones first. */
  number(): number {
    let value = 0
    for (let scale = 1; this.at < this.#bytes.length; scale *= 128) {
      const byte = this.#bytes[this.at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
    }
    return value
  }

  span(): Span {
    return { from: this.number(), size: this.number() }
  }
}
