// One watch: a caller who reads along. From `after` on the stored events are read from the store, then it goes live
// without a gap: what was committed while it read is read too, and only when nothing is left to read does it take the
// events as they come. A slow reader gets what there is room for; the rest is dropped and counted, and `lagged` says so.
import type { WatchEvent, WatchKind } from '../../../protocol/events.ts'
import type { StoredEvent } from '../../core/event.ts'
import type { JobRecord } from '../../core/job.ts'
import type { Connection } from '../rpc/connection.ts'
import { writeCursor } from './cursor.ts'
import type { Views } from './delivery.ts'

export interface WatchOptions {
  readonly id: string
  readonly connection: Connection
  readonly views: Views
  readonly isVisible: (job: JobRecord) => boolean
  /** Everything up to here was seen. */
  readonly after: number
  readonly now: () => number
}

/** What is shown of a job when it is not a stored event. */
export type Unstored = { readonly kind: 'state' | 'modification' | 'progress'; readonly at: number }

/** More than this unread, and events are dropped. */
const largestBacklogBytes = 256 * 1024

export class Watch {
  readonly #options: WatchOptions
  #seen: number
  #dropped = 0
  #isLive = false

  constructor(options: WatchOptions) {
    this.#options = options
    this.#seen = options.after
  }

  get seen(): number {
    return this.#seen
  }

  /** Whether events are waiting to be told as dropped. */
  get isLagging(): boolean {
    return this.#dropped > 0
  }

  get hasRoom(): boolean {
    return this.#options.connection.backlogBytes <= largestBacklogBytes
  }

  goLive(): void {
    this.#isLive = true
  }

  /** A stored event as it happens; `job` is the record that it made. */
  take(event: StoredEvent, job: JobRecord): void {
    if (!this.#isLive || event.sequence <= this.#seen) return
    this.show(event, job)
  }

  /** A stored event: `job` is its record now, or `null` where even history has forgotten it. */
  show(event: StoredEvent, job: JobRecord | null): void {
    this.#seen = Math.max(this.#seen, event.sequence)
    if (!job || !this.#options.isVisible(job)) return
    const { views } = this.#options
    const file = event.fileIndex === null ? null : views.file(job, event.fileIndex)
    this.#send(event.kind, event.at, job, { ...(file && { file }), ...(event.error && { error: event.error }) })
  }

  showUnstored({ kind, at }: Unstored, job: JobRecord): void {
    if (this.#isLive && this.#options.isVisible(job)) this.#send(kind, at, job, {})
  }

  /** Says what was dropped, once there is room again. */
  sayLagged(): void {
    if (this.#dropped === 0 || !this.hasRoom) return
    const { connection, id, now } = this.#options
    const event: WatchEvent = { watchId: id, cursor: writeCursor(this.#seen), kind: 'lagged', at: now(), job: null, lagged: this.#dropped }
    this.#dropped = 0
    connection.notify('events.event', event)
  }

  #send(kind: WatchKind, at: number, job: JobRecord, more: Pick<WatchEvent, 'file' | 'error'>): void {
    this.sayLagged()
    const { connection, id, views } = this.#options
    if (!this.hasRoom) {
      this.#dropped++
      return
    }
    const event: WatchEvent = { watchId: id, cursor: writeCursor(this.#seen), kind, at, job: views.of(job), ...more }
    connection.notify('events.event', event)
  }
}
