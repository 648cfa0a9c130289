// Records ⇄ operations on the store. A job lies in parts, so that a change writes only the part that it changed: the
// job, its files as they were named, and how far each file is. Every part has a version; the table of upgrades knows
// how to raise each old one.
import { hasEnded } from '../../../protocol/job.ts'
import { defaultOptions } from '../../../protocol/options.ts'
import type { StoredEvent } from '../../core/event.ts'
import { isDelivered } from '../../core/event.ts'
import { untouched, type FileProgress, type FileRecord, type JobRecord } from '../../core/job.ts'
import { endedKey, eventKey, filesKey, historyKey, jobEventKey, jobKey, metaKey, outboxKey, progressKey, tokenKey } from './keys.ts'
import { schemaVersion } from './open.ts'
import type { Operation } from './store.ts'

type Named = Omit<FileRecord, 'index' | 'progress'>
type Head = Omit<JobRecord, 'files'>

/** Raises the text of a record from the schema before to the next one; index 0 raises schema 1 to 2. */
const upgrades: readonly ((record: Record<string, unknown>) => Record<string, unknown>)[] = []

const uncounted = { servedAt: 0, warnedAt: null }

function encode(record: object): string {
  return JSON.stringify({ v: schemaVersion, ...record })
}

function decode<T>(text: string): T {
  const { v, ...stored } = JSON.parse(text) as Record<string, unknown>
  const record = upgrades.slice(Number(v) - 1).reduce((older, raise) => raise(older), stored)
  return record as T
}

const put = (key: string, value: string): Operation => ({ type: 'put', key, value })
const del = (key: string): Operation => ({ type: 'del', key })

/** What brings the store from one record of a job to the next. A job that ended and left nothing behind goes to the history. */
export function jobOperations(before: JobRecord | null, after: JobRecord): Operation[] {
  if (hasEnded(after.state) && !after.cleaning) return historyOperations(before, after)
  const operations = [put(jobKey(after.id), encodeHead(after))]
  if (before?.files !== after.files) operations.push(...filesOperations(before, after))
  if (!before && after.clientToken !== null) operations.push(put(tokenKey(after.owner.id, after.clientToken), after.id))
  // The owner before made it; another owner has it now.
  if (before && before.clientToken !== null && after.clientToken === null) operations.push(del(tokenKey(before.owner.id, before.clientToken)))
  return operations
}

function filesOperations(before: JobRecord | null, after: JobRecord): Operation[] {
  const operations = after.files
    .filter((file) => file.progress !== (before?.files[file.index]?.progress ?? untouched))
    .map((file) => put(progressKey(after.id, file.index), encode(file.progress)))
  const isNamedAnew = before?.files.length !== after.files.length
    || after.files.some(({ index, remoteName, localName }) => remoteName !== before?.files[index]?.remoteName || localName !== before.files[index]?.localName)
  if (isNamedAnew) operations.push(put(filesKey(after.id), encode({ files: after.files.map(named) })))
  return operations
}

function historyOperations(before: JobRecord | null, after: JobRecord): Operation[] {
  const { headers: _, ...http } = after.options.http
  const bare: JobRecord = { ...after, options: { ...after.options, http: { ...http, headers: {} } } }
  return [
    del(jobKey(after.id)), del(filesKey(after.id)), ...(before?.files ?? []).map(({ index }) => del(progressKey(after.id, index))),
    put(endedKey(after.id), encode(bare)),
    put(historyKey(after.owner.id, after.endedAt ?? 0, after.number, after.id), String(after.servedAt)),
  ]
}

export function forgetOperations(job: JobRecord): Operation[] {
  const operations = [del(endedKey(job.id)), del(historyKey(job.owner.id, job.endedAt ?? 0, job.number, job.id))]
  if (job.clientToken !== null) operations.push(del(tokenKey(job.owner.id, job.clientToken)))
  return operations
}

export function eventOperations(event: StoredEvent): Operation[] {
  const operations = [put(eventKey(event.sequence), encode(event)), put(jobEventKey(event.jobId, event.sequence), '')]
  if (isDelivered(event.kind)) operations.push(put(outboxKey(event.sequence), event.jobId))
  return operations
}

export function forgetEventOperations(jobId: string, sequence: number): Operation[] {
  return [del(eventKey(sequence)), del(jobEventKey(jobId, sequence)), del(outboxKey(sequence))]
}

export function acknowledgeOperation(sequence: number): Operation {
  return del(outboxKey(sequence))
}

export function sequenceOperation(reservedUpTo: number): Operation {
  return put(metaKey.sequence, String(reservedUpTo))
}

export function servedOperation(servedMs: number): Operation {
  return put(metaKey.served, String(servedMs))
}

export function decodeEvent(text: string): StoredEvent {
  return decode<StoredEvent>(text)
}

export function decodeEnded(text: string): JobRecord {
  return withAllOptions(decode<JobRecord>(text))
}

/** Where a record is older than the count of the service's time, that count begins with it. */
export function decodeHead(text: string): Head {
  const head = decode<Head>(text)
  return withAllOptions('servedAt' in head ? head : { ...uncounted, ...head as Head })
}

/** Options that are newer than the record have their defaults. */
function withAllOptions<T extends Head>(job: T): T {
  const http = { ...defaultOptions.http, ...job.options.http }
  return { ...job, options: { ...defaultOptions, ...job.options, http } }
}

export function decodeProgress(text: string): FileProgress {
  return decode<FileProgress>(text)
}

/** A job put together from its parts; `progress` has the parts of files that were touched. */
export function assemble(head: Head, filesText: string, progress: ReadonlyMap<number, FileProgress>): JobRecord {
  const { files } = decode<{ files: readonly Named[] }>(filesText)
  // Named one by one, since a start does this for every file there is and a spread takes several times as long.
  return { ...head, files: files.map(({ remoteName, home, localName, ranges, checksum }, index) => {
    const file = { index, remoteName, localName, ranges, checksum, progress: progress.get(index) ?? untouched }
    return home === undefined ? file : { ...file, home }
  }) }
}

function encodeHead(job: JobRecord): string {
  const { files: _, ...head } = job
  return encode(head)
}

function named(file: FileRecord): Named {
  const { remoteName, home, localName, ranges, checksum } = file
  return { remoteName, home, localName, ranges, checksum }
}
