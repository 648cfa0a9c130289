// A program that is called back: it keeps what it was told, in order, and answers as the test says. And jobs for it to
// be told of.
import { join } from 'node:path'
import type { CallbackName, Callbacks, WatchEvent } from '../../../protocol/events.ts'
import type { File, Job, JobError, JobState, Range } from '../../../protocol/job.ts'
import type { MethodName, ParamsSent, Result } from '../../../protocol/methods.ts'
import type { EventKind, PartialOptions } from '../../../protocol/options.ts'
import { createPeer, type Method, type Peer } from '../../../protocol/peer.ts'
import { callbacks } from '../../../protocol/events.ts'
import type net from 'node:net'
import { connectAs, type User } from './users.ts'
import { until } from './daemon.ts'

export interface Told {
  readonly method: CallbackName
  readonly registrationId: string
  readonly deliveryId: string
  readonly sequence: number
  readonly attempt: number
  readonly job: Job
  readonly file?: File
  readonly ranges?: readonly Range[]
  readonly error?: JobError
  readonly files?: readonly { readonly index: number; readonly localName: string }[] | undefined
}

export class Program {
  readonly told: Told[] = []
  readonly shown: WatchEvent[] = []
  /** What a callback is answered with; throwing is an error, a promise that never resolves is silence. */
  answer: (told: Told) => unknown = () => ({})
  readonly #socket: net.Socket
  readonly #peer: Peer

  /** Over a socket that is or will be connected. */
  constructor(socket: net.Socket) {
    this.#socket = socket
    const names = Object.keys(callbacks) as CallbackName[]
    const methods = new Map<string, Method>(names.map((name) => [name, (params) => this.#take(name, params)]))
    methods.set('events.event', (params) => void this.shown.push(params as WatchEvent))
    this.#peer = createPeer({
      methods, send: (line) => void socket.write(line), onBreach: () => socket.destroy(), onDefect: () => 'test', maximumLineBytes: 64 * 1024 * 1024,
    })
    socket.on('data', (bytes: Buffer) => this.#peer.receive(bytes))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#peer.close())
  }

  static open(path: string, user: User | null = null): Program {
    return new Program(connectAs(path, user))
  }

  async call<Name extends MethodName>(name: Name, params: ParamsSent<Name>): Promise<Result<Name>> {
    return await this.#peer.request(name, params, { timeoutMs: 60_000 }) as Result<Name>
  }

  register(params: ParamsSent<'callback.register'>): Promise<Result<'callback.register'>> {
    return this.call('callback.register', params)
  }

  /** Waits until so many calls came in all. */
  async toldOf(count: number, timeoutMs?: number): Promise<readonly Told[]> {
    await until(() => this.told.length >= count, `${count} callbacks (there were ${this.told.length})`, timeoutMs)
    return this.told
  }

  /** What it was told, as kinds, of one job or of all. */
  kinds(jobId?: string): string[] {
    return this.told.filter(({ job }) => jobId === undefined || job.id === jobId).map(({ method }) => method.slice('callback.'.length))
  }

  /** Reads no more. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Closes once what it wrote has been sent. */
  leave(): void {
    this.#socket.destroySoon()
  }

  get isClosed(): boolean {
    return this.#socket.destroyed
  }

  async closed(): Promise<void> {
    await until(() => this.#socket.destroyed, 'the end of the connection')
  }

  #take(method: CallbackName, params: unknown): unknown {
    const told = { method, ...callbacks[method].params.parse(params) as Callbacks[CallbackName] }
    this.told.push(told)
    return this.answer(told)
  }
}

export const silence = (): Promise<never> => new Promise(() => {})
export const refuse = (): never => { throw new Error('not now') }

export interface Wanted {
  /** URLs; the local names follow from their last part. */
  readonly urls: readonly string[]
  readonly folder: string
  readonly events?: readonly EventKind[]
  readonly options?: PartialOptions
  readonly application?: string
  readonly states?: readonly JobState[]
}

let made = 0

/** A job that moves. */
export async function startJob(program: Program, { urls, folder, events, options, application }: Wanted): Promise<string> {
  const number = made++
  const { job } = await program.call('job.create', {
    displayName: `job ${number}`, resume: true, ...(application !== undefined && { application }),
    files: urls.map((url, at) => ({ remoteName: url, localName: join(folder, `job-${number}-${at}`) })),
    options: { ...options, notify: { ...(events && { events: [...events] }), ...options?.notify } },
  })
  return job.id
}

/** A job that came to rest: transferred, or in error. */
export async function settledJob(program: Program, wanted: Wanted): Promise<string> {
  const jobId = await startJob(program, wanted)
  const { timedOut } = await program.call('job.wait', { jobId, states: [...wanted.states ?? ['transferred', 'error']], timeoutSeconds: 30 })
  if (timedOut) throw new Error('the job did not come to rest')
  return jobId
}
