// All the watches: who may see what, what is shown of each change, and progress at most five times a second for each
// job. They take nothing from an endpoint, and cost nothing while nobody watches.
import type { Params, Result } from '../../../protocol/methods.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import { mayTouch, requireAdmin } from '../../core/access.ts'
import type { StoredEvent } from '../../core/event.ts'
import type { JobRecord } from '../../core/job.ts'
import { isMoving } from '../../core/transitions.ts'
import type { Log } from '../../log.ts'
import { DueTimes, now } from '../clock.ts'
import type { Committed, Queue } from '../queue.ts'
import type { Connection } from '../rpc/connection.ts'
import { Turns } from '../turns.ts'
import { readCursor, writeCursor } from './cursor.ts'
import type { Views } from './delivery.ts'
import { Watch } from './watch.ts'

/** What is not in memory any more. */
export interface Past {
  /** A job that ended. */
  get(id: string): Promise<JobRecord | null>
  /** Stored events after a sequence number, in order. */
  events(afterSequence: number): AsyncIterable<StoredEvent>
}

export interface WatchesOptions {
  readonly queue: Queue
  readonly views: Views
  readonly past: Past
  readonly newId: () => string
  /** Every event of before the start has at most this sequence number. */
  readonly startSequence: number
  readonly log: Log
}

const progressEveryMs = 200
const lookAgainMs = 100
/** Of one owner, over all his connections. */
const watchesAtMost = 64
/** Stored events that are read in one go; then another watch of the same owner has its turn. */
const eventsAtOnce = 100

interface Watching {
  readonly watch: Watch
  readonly connection: Connection
  /** Resolves the wait for room of one that reads the past. */
  wake: () => void
}

export class Watches {
  readonly #options: WatchesOptions
  readonly #watching = new Map<string, Watching>()
  readonly #byConnection = new Map<Connection, Set<string>>()
  readonly #reading = new Set<Promise<void>>()
  /** One watch of an owner reads the past at a time. */
  readonly #readers = new Turns()
  readonly #progress: DueTimes
  readonly #room: DueTimes
  /** The last stored event that was told to those who are live. */
  #told: number

  constructor(options: WatchesOptions) {
    this.#options = options
    this.#told = options.startSequence
    this.#progress = new DueTimes((jobId) => this.#showProgress(jobId))
    this.#room = new DueTimes((watchId) => this.#lookForRoom(watchId))
  }

  /** @throws Refusal `access-denied`, `job-not-found`, `invalid-params` */
  async open({ after, jobIds, application, owner }: Params<'events.watch'>, connection: Connection): Promise<Result<'events.watch'>> {
    const { caller } = connection
    if (owner === 'all') requireAdmin(caller)
    const from = after === undefined ? null : Math.min(readCursor(after), this.#told)
    for (const id of jobIds ?? []) {
      if (connection.isClosed) throw new Refusal('connection-closed')
      const job = this.#options.queue.get(id) ?? (await this.#options.past.get(id))
      if (!job || !mayTouch(caller, job)) throw new Refusal('job-not-found')
    }
    const named = jobIds && new Set(jobIds)
    const isVisible = (job: JobRecord): boolean => (named ? named.has(job.id) && mayTouch(caller, job) : owner === 'all' || job.owner.id === caller.id)
      && (application === undefined || job.application === application)
    const mayBeVisible = (event: StoredEvent): boolean => named ? named.has(event.jobId) : owner === 'all' || event.ownerId === caller.id
    return this.#begin(connection, isVisible, mayBeVisible, from)
  }

  /** Ends a watch of this connection; another's is as none. */
  end(watchId: string, connection: Connection): void {
    if (this.#watching.get(watchId)?.connection !== connection) return
    this.#forget(watchId)
    this.#byConnection.get(connection)?.delete(watchId)
  }

  take({ before, after, events }: Committed): void {
    const last = events.at(-1)
    if (last) this.#told = Math.max(this.#told, last.sequence)
    if (this.#watching.size === 0) return
    const isNewState = before !== null && before.state !== after.state && !events.some(({ kind }) => kind === 'state')
    const isNewSetting = before !== null && events.length === 0 && !isNewState && hasOtherSettings(before, after)
    for (const [watchId, { watch }] of this.#watching) {
      for (const event of events) watch.take(event, after)
      if (isNewState) watch.showUnstored({ kind: 'state', at: after.modifiedAt }, after)
      if (isNewSetting) watch.showUnstored({ kind: 'modification', at: after.modifiedAt }, after)
      this.#noteLag(watchId, watch)
    }
  }

  progressed(jobId: string): void {
    if (this.#watching.size > 0 && !this.#progress.has(jobId)) this.#progress.set(jobId, progressEveryMs)
  }

  async close(): Promise<void> {
    for (const watchId of [...this.#watching.keys()]) this.#forget(watchId)
    this.#progress.close()
    this.#room.close()
    await Promise.allSettled(this.#reading)
  }

  #begin(
    connection: Connection, isVisible: (job: JobRecord) => boolean, mayBeVisible: (event: StoredEvent) => boolean, from: number | null,
  ): Result<'events.watch'> {
    if (connection.isClosed) throw new Refusal('connection-closed')
    if (this.#countOf(connection.caller.id) >= watchesAtMost) {
      throw new Refusal('too-many-calls', { limit: watchesAtMost }, 'The user has as many watches as he may have.')
    }
    const ofConnection = this.#ofConnection(connection)
    const { newId, views, log } = this.#options
    const id = newId()
    const watch = new Watch({ id, connection, views, isVisible, after: from ?? this.#told, now })
    ofConnection.add(id)
    this.#watching.set(id, { watch, connection, wake: () => {} })
    if (from === null) watch.goLive()
    else {
      const reading = this.#read(id, watch, mayBeVisible).catch((error: unknown) => {
        log.warn({ err: error }, 'the stored events could not be read for a watch; it goes on from now')
        watch.goLive()
      })
      this.#reading.add(reading)
      void reading.finally(() => this.#reading.delete(reading))
    }
    return { watchId: id, cursor: writeCursor(watch.seen) }
  }

  /**
   * Shows what is stored, in the reader's own pace. Who is live is told only what is on disk, so once nothing was told
   * while a pass read, nothing lies between that pass and what comes next.
   */
  async #read(watchId: string, watch: Watch, mayBeVisible: (event: StoredEvent) => boolean): Promise<void> {
    const ownerId = this.#watching.get(watchId)?.connection.caller.id ?? ''
    let from = watch.seen
    for (;;) {
      await this.#roomFor(watchId, watch)
      if (!this.#watching.has(watchId)) return
      const told = this.#told
      const isAll = await this.#readers.run(ownerId, () => this.#readSome(watchId, watch, from, mayBeVisible))
      if (isAll && told === this.#told) return watch.goLive()
      from = isAll ? Math.max(watch.seen, told) : watch.seen
    }
  }

  /** Whether it read all that there is. */
  async #readSome(watchId: string, watch: Watch, from: number, mayBeVisible: (event: StoredEvent) => boolean): Promise<boolean> {
    const { queue, past } = this.#options
    let ended: JobRecord | null = null
    let count = 0
    for await (const event of past.events(from)) {
      if (!this.#watching.has(watchId) || !watch.hasRoom || count === eventsAtOnce) return false
      count++
      // A job that ended is large and on disk: whose it is is asked before it is read.
      const live = queue.get(event.jobId)
      if (!live && mayBeVisible(event) && ended?.id !== event.jobId) ended = await past.get(event.jobId)
      watch.show(event, live ?? (ended?.id === event.jobId ? ended : null))
    }
    return true
  }

  #countOf(ownerId: string): number {
    let count = 0
    for (const { connection } of this.#watching.values()) if (connection.caller.id === ownerId) count++
    return count
  }

  #roomFor(watchId: string, watch: Watch): Promise<void> | null {
    const watching = this.#watching.get(watchId)
    if (!watching || watch.hasRoom) return null
    return new Promise((resolve) => {
      watching.wake = resolve
      this.#room.set(watchId, lookAgainMs)
    })
  }

  #lookForRoom(watchId: string): void {
    const watching = this.#watching.get(watchId)
    if (!watching) return
    if (!watching.watch.hasRoom) return this.#room.set(watchId, lookAgainMs)
    watching.watch.sayLagged()
    watching.wake()
  }

  #noteLag(watchId: string, watch: Watch): void {
    if (watch.isLagging && !this.#room.has(watchId)) this.#room.set(watchId, lookAgainMs)
  }

  #showProgress(jobId: string): void {
    const job = this.#options.queue.get(jobId)
    if (!job || !isMoving(job.state)) return
    for (const [watchId, { watch }] of this.#watching) {
      watch.showUnstored({ kind: 'progress', at: now() }, job)
      this.#noteLag(watchId, watch)
    }
  }

  #ofConnection(connection: Connection): Set<string> {
    const present = this.#byConnection.get(connection)
    if (present) return present
    const watchIds = new Set<string>()
    this.#byConnection.set(connection, watchIds)
    connection.onClosed(() => {
      this.#byConnection.delete(connection)
      for (const watchId of watchIds) this.#forget(watchId)
    })
    return watchIds
  }

  #forget(watchId: string): void {
    const watching = this.#watching.get(watchId)
    this.#watching.delete(watchId)
    this.#room.clear(watchId)
    watching?.wake()
  }
}

/** Whether something changed that a client set, apart from how far the files are. */
function hasOtherSettings(before: JobRecord, after: JobRecord): boolean {
  const settings = ['displayName', 'description', 'application', 'priority', 'options', 'owner'] as const
  return settings.some((name) => before[name] !== after[name]) || before.files.length !== after.files.length
    || before.files.some((file, at) => file.remoteName !== after.files[at]?.remoteName)
}
