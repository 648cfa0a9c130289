// Handlers for a scope of jobs (contract §4). The daemon's call is answered when the handler is done; a result
// acknowledges the event, an error makes the daemon call again later. A registration lives as long as its
// connection, so each is made anew after every reconnect. A callback may come before the answer that names its
// registration (the replay starts at once), so an unknown registration first waits for those under way.
import type { CallbackName, Callbacks } from '../protocol/events.ts'
import type { File, Job, JobError, Range } from '../protocol/job.ts'
import type { EventKind } from '../protocol/options.ts'
import type { Method } from '../protocol/peer.ts'
import { invalidParams, Refusal } from '../protocol/refusals.ts'
import type { Connection } from './connection.ts'

/** Which jobs: exactly one of the three. `application` and `all` cover jobs that are created later, too. */
export type Scope = { readonly jobIds: readonly string[] } | { readonly application: string } | { readonly all: true }

/** The envelope of one callback. */
export interface CallbackCall {
  readonly registrationId: string
  /** The same at every attempt and replay of one event: by it a handler notices that it saw the event before. */
  readonly deliveryId: string
  /** Rises strictly within one owner. */
  readonly sequence: number
  /** 1 for the first call. */
  readonly attempt: number
}

/** A handler acknowledges by returning (or resolving), and asks to be called again by throwing (or rejecting). */
export interface Handlers {
  jobTransferred?(job: Job, call: CallbackCall): unknown
  jobError?(job: Job, error: JobError, call: CallbackCall): unknown
  jobModification?(job: Job, call: CallbackCall): unknown
  fileTransferred?(job: Job, file: File, call: CallbackCall): unknown
  fileRangesTransferred?(job: Job, file: File, ranges: readonly Range[], call: CallbackCall): unknown
}

export interface CallbackOptions {
  /** Default: the kinds for which there is a handler. */
  readonly events?: readonly EventKind[]
}

/** Handlers at work, until `close()`, the end of the client, or `onLost`. */
export interface Registration {
  /** Changes with every reconnect. */
  readonly registrationId: string
  /** How many events the daemon replayed at the last registering. */
  readonly replayed: number
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const handlerOfKind = {
  'transferred': 'jobTransferred',
  'error': 'jobError',
  'modification': 'jobModification',
  'file-transferred': 'fileTransferred',
  'file-ranges-transferred': 'fileRangesTransferred',
} as const satisfies Record<EventKind, keyof Handlers>

const run: { readonly [Name in CallbackName]: (handlers: Handlers, params: Callbacks[Name], call: CallbackCall) => unknown } = {
  'callback.jobTransferred': (handlers, { job }, call) => called(handlers.jobTransferred)(job, call),
  'callback.jobError': (handlers, { job, error }, call) => called(handlers.jobError)(job, error, call),
  'callback.jobModification': (handlers, { job }, call) => called(handlers.jobModification)(job, call),
  'callback.fileTransferred': (handlers, { job, file }, call) => called(handlers.fileTransferred)(job, file, call),
  'callback.fileRangesTransferred': (handlers, { job, file, ranges }, call) => called(handlers.fileRangesTransferred)(job, file, ranges, call),
}

function called<Handler>(handler: Handler | undefined): Handler {
  if (handler === undefined) throw new Refusal('not-supported', {}, 'There is no handler for this kind of event.')
  return handler
}

/** The registrations of one client. */
export class Registrations {
  /** What the daemon may call; goes into the connection. */
  readonly methods: ReadonlyMap<string, Method>
  readonly #open = new Map<string, Handlers>()
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #onLost: (error: unknown) => void

  /** `onLost` is told when a registration could not be made again after a reconnect. */
  constructor(onLost: (error: unknown) => void) {
    this.#onLost = onLost
    const names = Object.keys(run) as CallbackName[]
    this.methods = new Map(names.map((name) => [name, (params: unknown) => this.#answer(name, params as Callbacks[typeof name])]))
  }

  async register(connection: Connection, scope: Scope, handlers: Handlers, { events }: CallbackOptions = {}): Promise<Registration> {
    const kinds = events ?? (Object.keys(handlerOfKind) as EventKind[]).filter((kind) => handlers[handlerOfKind[kind]])
    const unhandled = kinds.find((kind) => !handlers[handlerOfKind[kind]])
    if (unhandled !== undefined) throw invalidParams([{ path: ['events'], message: `no handler for ${unhandled}` }])
    let isClosed = false
    let present = { registrationId: '', replayed: 0 }
    const registerNow = async (): Promise<void> => {
      const before = present.registrationId
      const asked = connection.call('callback.register', { ...copyOf(scope), events: [...kinds] })
      const settled = asked.then((answer) => {
        this.#open.delete(before)
        this.#open.set(answer.registrationId, handlers)
        present = answer
      })
      this.#underWay.add(settled)
      try {
        await settled
      } finally {
        this.#underWay.delete(settled)
      }
      if (isClosed) await unregister()
    }
    const unregister = async (): Promise<void> => {
      this.#open.delete(present.registrationId)
      // Gone with its connection already, then there is nothing to end.
      if (connection.isConnected) await connection.call('callback.unregister', { registrationId: present.registrationId }).catch(ignoreGone)
    }
    await registerNow()
    const forgetReconnects = connection.on('connected', () => void registerNow().catch((error: unknown) => {
      // Lost again while registering: the next connection brings the next try.
      if (!isGone(error) && !isClosed) this.#onLost(error)
    }))
    const close = async (): Promise<void> => {
      if (isClosed) return
      isClosed = true
      forgetReconnects()
      await unregister()
    }
    return {
      get registrationId() { return present.registrationId },
      get replayed() { return present.replayed },
      close,
      [Symbol.asyncDispose]: close,
    }
  }

  async #answer<Name extends CallbackName>(name: Name, params: Callbacks[Name]): Promise<object> {
    const { registrationId, deliveryId, sequence, attempt } = params
    if (!this.#open.has(registrationId)) await Promise.allSettled(this.#underWay)
    const handlers = this.#open.get(registrationId)
    if (!handlers) throw new Refusal('registration-not-found')
    await run[name](handlers, params, { registrationId, deliveryId, sequence, attempt })
    return {}
  }
}

function copyOf(scope: Scope): { jobIds: string[] } | { application: string } | { all: true } {
  return 'jobIds' in scope ? { jobIds: [...scope.jobIds] } : 'application' in scope ? { application: scope.application } : { all: scope.all }
}

function isGone(error: unknown): boolean {
  return error instanceof Refusal && ['connection-closed', 'no-daemon', 'registration-not-found', 'shutting-down'].includes(error.kind)
}

function ignoreGone(error: unknown): void {
  if (!isGone(error)) throw error
}
