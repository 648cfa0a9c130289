// Reading along: what the daemon tells of jobs as it happens (contract §4, `events.watch`), as an async iterable.
// For looking, not for relying: what a slow reader does not take is dropped, oldest first, and the next event
// says how many were (`lagged`). After a reconnect the watch goes on from the last cursor it saw.
import type { WatchEvent } from '../protocol/events.ts'
import type { Method } from '../protocol/peer.ts'
import { Refusal } from '../protocol/refusals.ts'
import type { Connection, Unsubscribe } from './connection.ts'

export interface WatchOptions {
  /** Go on from this cursor: the stored events after it come first. */
  readonly after?: string
  readonly jobIds?: readonly string[]
  readonly application?: string
  /** `all` is for admins. */
  readonly owner?: 'me' | 'all'
  /** Ends the iteration; no error. */
  readonly signal?: AbortSignal
}

const mostWaiting = 4096

/** One watch. It has begun when it is made, so nothing that happens before the first iteration is missed. */
export class Watch implements AsyncIterable<WatchEvent> {
  readonly #waiting: WatchEvent[] = []
  readonly #end: () => Promise<void>
  #cursor: string | undefined
  #dropped = 0
  #error: unknown = null
  #isOver = false
  #wake: () => void = () => {}

  constructor(after: string | undefined, end: () => Promise<void>) {
    this.#cursor = after
    this.#end = end
  }

  /** The cursor of the last event received; give it as `after` to another watch. */
  get cursor(): string | undefined {
    return this.#cursor
  }

  take(event: WatchEvent): void {
    if (this.#isOver) return
    this.#cursor = event.cursor
    this.#waiting.push(event)
    if (this.#waiting.length > mostWaiting) {
      this.#waiting.shift()
      this.#dropped++
    }
    this.#wake()
  }

  startAt(cursor: string): void {
    this.#cursor ??= cursor
  }

  fail(error: unknown): void {
    this.#error ??= error
    this.#isOver = true
    this.#wake()
  }

  async close(): Promise<void> {
    if (!this.#isOver) {
      this.#isOver = true
      this.#wake()
    }
    await this.#end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent, void, undefined> {
    try {
      for (;;) {
        const event = this.#waiting.shift()
        if (event) {
          yield this.#dropped > 0 ? { ...event, lagged: (event.lagged ?? 0) + this.#dropped } : event
          this.#dropped = 0
        } else if (this.#error !== null) throw this.#error
        else if (this.#isOver) return
        else await new Promise<void>((resolve) => { this.#wake = resolve })
      }
    } finally {
      await this.close()
    }
  }
}

/** The watches of one client. */
export class Watches {
  readonly methods: ReadonlyMap<string, Method> = new Map([['events.event', (params: unknown) => this.#deliver(params as WatchEvent)]])
  readonly #open = new Map<string, Watch>()
  /** Events that came before the answer which names their watch. */
  readonly #early = new Map<string, WatchEvent[]>()
  #underWay = 0

  open(connection: Connection, { after, jobIds, application, owner, signal }: WatchOptions = {}): Watch {
    let watchId: string | null = null
    const stops: Unsubscribe[] = []
    const end = async (): Promise<void> => {
      for (const stop of stops.splice(0)) stop()
      const ended = watchId
      watchId = null
      if (ended === null) return
      this.#open.delete(ended)
      if (connection.isConnected) await connection.call('events.unwatch', { watchId: ended }).catch(ignoreLost)
    }
    const watch = new Watch(after, end)
    const begin = async (): Promise<void> => {
      this.#underWay++
      try {
        const answer = await connection.call('events.watch', {
          ...(watch.cursor === undefined ? {} : { after: watch.cursor }), ...(jobIds && { jobIds: [...jobIds] }),
          ...(application !== undefined && { application }), ...(owner && { owner }),
        })
        watch.startAt(answer.cursor)
        if (watchId !== null) this.#open.delete(watchId)
        watchId = answer.watchId
        this.#open.set(watchId, watch)
        for (const event of this.#early.get(watchId) ?? []) watch.take(event)
      } catch (error) {
        if (!isLost(error) || connection.isClosed) watch.fail(error)
      } finally {
        if (--this.#underWay === 0) this.#early.clear()
      }
    }
    const stop = (): void => void watch.close()
    stops.push(
      connection.on('connected', () => void begin()),
      connection.on('closed', () => watch.fail(new Refusal('connection-closed'))),
    )
    if (signal) {
      signal.addEventListener('abort', stop, { once: true })
      stops.push(() => signal.removeEventListener('abort', stop))
    }
    if (signal?.aborted) stop()
    else void begin()
    return watch
  }

  #deliver(event: WatchEvent): void {
    const watch = this.#open.get(event.watchId)
    if (watch) watch.take(event)
    else if (this.#underWay > 0) this.#early.set(event.watchId, [...this.#early.get(event.watchId) ?? [], event])
  }
}

function isLost(error: unknown): boolean {
  return error instanceof Refusal && (error.kind === 'connection-closed' || error.kind === 'no-daemon')
}

function ignoreLost(error: unknown): void {
  if (!(error instanceof Refusal)) throw error
}
