// `connect()` and what it gives: one typed function per method that is not about one job (those are on
// `JobHandle`), callbacks, watches, and downloading. It knows no state of jobs; the daemon does.
import { randomUUID } from 'node:crypto'
import type { Job, JobState } from '../protocol/job.ts'
import type { ParamsSent, Result } from '../protocol/methods.ts'
import type { Peer } from '../protocol/peer.ts'
import { packageVersion, protocolVersion } from '../protocol/version.ts'
import { Registrations, type CallbackOptions, type Handlers, type Registration, type Scope } from './callbacks.ts'
import { Connection, type Call, type ConnectionEvent, type Unsubscribe } from './connection.ts'
import { downloadFile, type Downloaded, type DownloadOptions } from './download.ts'
import { findSocket } from './find-socket.ts'
import { JobHandle } from './job.ts'
import { Watches, type Watch, type WatchOptions } from './watch.ts'

export interface ConnectOptions {
  /** Default: `BACKHAUL_SOCKET`, else the user's socket if it answers, else the system's. */
  readonly socket?: string | undefined
  /** Who is calling, for the daemon's log. */
  readonly client?: { readonly name: string; readonly version: string } | undefined
  /** Open the connection again when it is lost. Default `true`. */
  readonly reconnect?: boolean | undefined
  /** How long a call waits for a lost connection to come back before it is refused with `no-daemon`. Default 10. */
  readonly reconnectTimeoutSeconds?: number | undefined
  /**
   * Told of what no call can tell: a callback handler that threw (the daemon calls it again later), or a
   * registration that could not be made again. Default: a process warning.
   */
  readonly onError?: ((error: unknown, during: string) => void) | undefined
}

/** What the daemon said of itself and of the caller when the connection was opened. */
export type Hello = Result<'session.hello'>

export interface ListOptions {
  readonly owner?: string
  readonly states?: readonly JobState[]
  readonly application?: string
  readonly pageSize?: number
}

/** Rejects with the `Refusal` `no-daemon` where none answers. */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const registrations = new Registrations((error) => report(error, 'callback.register'))
  const watches = new Watches()
  const report = options.onError ?? warn
  let hello: Hello | null = null
  const greet = async (peer: Peer): Promise<void> => {
    const params = { client: options.client ?? { name: 'backhaul-sdk', version: packageVersion }, protocol: protocolVersion }
    hello = await peer.request('session.hello', params, { timeoutMs: 10_000 }) as Hello
  }
  const connection = await Connection.open(await findSocket(options.socket), {
    methods: new Map([...registrations.methods, ...watches.methods]),
    greet,
    reconnect: options.reconnect ?? true,
    reconnectTimeoutMs: (options.reconnectTimeoutSeconds ?? 10) * 1000,
    onDefect: (error, method) => {
      report(error, method)
      return randomUUID()
    },
  })
  return new Client({ connection, registrations, watches, hello: () => hello })
}

/** Connects, downloads one file, closes. See `DownloadOptions` for what can be said. */
export async function download(url: string | URL, path: string, options: DownloadOptions & ConnectOptions = {}): Promise<Downloaded> {
  const client = await connect(options)
  try {
    return await client.download(url, path, options)
  } finally {
    client.close()
  }
}

interface Parts {
  readonly connection: Connection
  readonly registrations: Registrations
  readonly watches: Watches
  readonly hello: () => Hello | null
}

export class Client {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** The general form: any method by its name. The functions beside it are this with less to write. */
  get call(): Call {
    return this.#parts.connection.call
  }

  /** The daemon, the caller's role, limits and capabilities, as of the last connecting. */
  get hello(): Hello {
    const hello = this.#parts.hello()
    if (!hello) throw new Error('a client exists only after the hello')
    return hello
  }

  get socket(): string {
    return this.#parts.connection.path
  }

  get isConnected(): boolean {
    return this.#parts.connection.isConnected
  }

  get isClosed(): boolean {
    return this.#parts.connection.isClosed
  }

  async ping(): Promise<void> {
    await this.call('system.ping', {})
  }

  stats(): Promise<Result<'queue.stats'>> {
    return this.call('queue.stats', {})
  }

  /** The daemon's own description, an OpenRPC document. */
  discover(): Promise<Result<'rpc.discover'>> {
    return this.call('rpc.discover', {})
  }

  /** Makes a job, all or nothing. With a `clientToken`, the same token answers the first job. */
  async createJob(params: ParamsSent<'job.create'>): Promise<JobHandle> {
    return this.job((await this.call('job.create', params)).job.id)
  }

  /** The job of this id; nothing is asked yet. */
  job(id: string): JobHandle {
    return new JobHandle(this.call, id)
  }

  /** Jobs in the order of their creation, fetched page by page; those that ended only where `states` asks for them. */
  async *listJobs({ owner, states, application, pageSize = 200 }: ListOptions = {}): AsyncGenerator<Job, void, undefined> {
    let cursor: string | null = null
    do {
      const page: Result<'job.list'> = await this.call('job.list', {
        limit: pageSize, owner, application, ...(states && { states: [...states] }), ...(cursor !== null && { cursor }),
      })
      // One by one: `yield*` over what is no async iterable costs three times as much.
      for (const job of page.jobs) yield job
      cursor = page.nextCursor
    } while (cursor !== null)
  }

  /** Downloads one file and gives it its name; goes on over lost connections and restarts of the daemon. */
  download(url: string | URL, path: string, options?: DownloadOptions): Promise<Downloaded> {
    return downloadFile(this, url, path, options)
  }

  /** Handlers for the events of a scope of jobs; at once called with what is unacknowledged. See `Handlers`. */
  callbacks(scope: Scope, handlers: Handlers, options?: CallbackOptions): Promise<Registration> {
    return this.#parts.registrations.register(this.#parts.connection, scope, handlers, options)
  }

  /** Reads along with what happens, progress included: `for await (const event of client.watch())`. */
  watch(options?: WatchOptions): Watch {
    return this.#parts.watches.open(this.#parts.connection, options)
  }

  /** `closed` comes once and last. Answers how to stop listening. */
  on(event: ConnectionEvent, listener: () => void): Unsubscribe {
    return this.#parts.connection.on(event, () => queueMicrotask(listener))
  }

  /** Lets the process end although the client is open; `ref` takes that back. */
  unref(): this {
    this.#parts.connection.hold(false)
    return this
  }

  ref(): this {
    this.#parts.connection.hold(true)
    return this
  }

  /** Ends registrations, watches and pending calls (`connection-closed`). May be called twice. */
  close(): void {
    this.#parts.connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }
}

function warn(error: unknown, during: string): void {
  process.emitWarning(`${during}: ${error instanceof Error ? error.message : String(error)}`, { type: 'BackhaulWarning' })
}
