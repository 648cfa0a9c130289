// Events told at least once (contract §4): puts the parts together and hears of each commit. `registrations` says to
// whom an event goes, `outbox` what is to be told and when, `commands` runs a program instead, `modifications` says
// that something changed, `watches` lets others read along. Nothing is told that is not on disk.
import { randomUUID } from 'node:crypto'
import { hasEnded } from '../../../protocol/job.ts'
import type { Params, Result } from '../../../protocol/methods.ts'
import { eventKinds } from '../../../protocol/options.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import { mayTouch, type Caller } from '../../core/access.ts'
import type { JobRecord } from '../../core/job.ts'
import type { Log } from '../../log.ts'
import type { Committed, Queue } from '../queue.ts'
import type { Connection } from '../rpc/connection.ts'
import type { WorkerSource } from '../workers/worker-link.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { CallLines } from './call-lines.ts'
import { Commands } from './command.ts'
import type { OwnerAccount } from './command-environment.ts'
import { isDeliveredEvent, type Views } from './delivery.ts'
import { EndedJobs } from './ended-jobs.ts'
import { connectionEndpoint, type Endpoint } from './endpoint.ts'
import { Modifications } from './modification.ts'
import { Outbox } from './outbox.ts'
import { isInScope, Registrations, type Registration, type Scope } from './registrations.ts'
import type { CallbackSettings } from './settings.ts'
import { SocketEndpoints } from './socket-endpoint.ts'
import { Watches, type Past } from './watches.ts'

export interface NotifierOptions {
  readonly queue: Queue
  readonly views: Views
  readonly workers: WorkerSource
  /** Name and home of an owner, for the environment of his notify commands. */
  readonly accountOf: (ownerId: string) => Promise<OwnerAccount | null>
  readonly past: Past
  /** Where progress is told, by job. */
  readonly progress: { onProgress(listener: (jobId: string) => void): void }
  /** The sequence number that the queue started from. */
  readonly startSequence: number
  readonly socketPath: string
  readonly settings: () => CallbackSettings
  readonly log: Log
}

const registrationsPerUser = 1000

export class Notifier {
  readonly #options: NotifierOptions
  readonly #registrations = new Registrations()
  readonly #lines: CallLines
  readonly #outbox: Outbox
  readonly #commands: Commands
  readonly #modifications: Modifications
  readonly #watches: Watches
  readonly #sockets: SocketEndpoints
  readonly #ended: EndedJobs
  readonly #connections = new Map<Connection, Endpoint>()
  readonly #acknowledgements: Acknowledgements
  #closed = false

  constructor(options: NotifierOptions) {
    const { queue, progress, settings } = options
    const registrations = this.#registrations
    const newId = (): string => randomUUID()
    this.#acknowledgements = new Acknowledgements(queue, options.log)
    const { take: acknowledge } = this.#acknowledgements
    const ended = this.#ended = new EndedJobs(queue, options.past)
    this.#options = options
    this.#lines = new CallLines(() => settings().atOncePerUser)
    this.#commands = new Commands({ ...options, acknowledge, jobOf: ended.of, onSettled: (jobId) => this.#settle(jobId) })
    this.#outbox = new Outbox({ ...options, jobOf: ended.of, registrations, lines: this.#lines, commands: this.#commands, acknowledge })
    this.#modifications = new Modifications({ ...options, registrations, lines: this.#lines, newId })
    this.#watches = new Watches({ ...options, newId })
    this.#sockets = new SocketEndpoints(options.workers, options.log)
    queue.onCommitted((committed) => this.#take(committed))
    progress.onProgress((jobId) => this.#progressed(jobId))
  }

  /** Begins with what was left from the last run: the events that go to a notify command. */
  start(): void {
    for (const { id } of [...this.#options.queue.all()]) this.#outbox.settle(id)
    const settle = (ended: readonly JobRecord[]): void => { for (const { id } of ended) this.#settle(id) }
    this.#ended.load(() => true).then(settle, (error: unknown) => {
      if (!this.#closed) this.#options.log.error({ err: error }, 'what is still to be told of ended jobs could not be read')
    })
  }

  /** @throws Refusal `job-not-found`, `invalid-params`, `too-many-calls` */
  async register(params: Params<'callback.register'>, connection: Connection): Promise<Result<'callback.register'>> {
    const { caller } = connection
    if (params.jobIds) await this.#checkJobs(params.jobIds, caller)
    if (this.#registrations.countOf(caller.id) >= registrationsPerUser) {
      throw new Refusal('too-many-calls', { limit: registrationsPerUser }, 'The user has as many registrations as he may have.')
    }
    const endpoint = await this.#endpoint(params.endpoint, connection)
    const ended = await this.#endedOf(params, caller)
    if (endpoint.isEnded) throw new Refusal('connection-closed')
    const { queue } = this.#options
    const registration = this.#registrations.add({
      id: randomUUID(), caller, scope: scopeOf(params), kinds: new Set(params.events ?? eventKinds), endpoint,
    }, (id) => queue.get(id))
    const { count, begin } = this.#outbox.replay(registration, [...this.#jobsOf(registration), ...ended.filter((job) => isInScope(registration, job))])
    // The answer, which names the registration, goes first.
    setImmediate(() => { if (!this.#closed) begin() })
    return { registrationId: registration.id, replayed: count }
  }

  /** @throws Refusal `registration-not-found`, also for another's */
  unregister({ registrationId }: Params<'callback.unregister'>, { caller }: Connection): void {
    const registration = this.#registrations.get(registrationId)
    if (!registration || registration.caller.id !== caller.id) throw new Refusal('registration-not-found')
    this.#end(registration)
    if (this.#registrations.at(registration.endpoint).length === 0) registration.endpoint.close()
  }

  /** @throws Refusal `access-denied`, `job-not-found`, `invalid-params` */
  watch(params: Params<'events.watch'>, connection: Connection): Promise<Result<'events.watch'>> {
    return this.#watches.open(params, connection)
  }

  unwatch({ watchId }: Params<'events.unwatch'>, connection: Connection): void {
    this.#watches.end(watchId, connection)
  }

  /** What the notify command of a job does now. */
  command(jobId: string): ReturnType<Commands['describe']> {
    return this.#commands.describe(jobId)
  }

  /** Calls nobody any more, and waits for what was acknowledged to be written. */
  async close(): Promise<void> {
    this.#closed = true
    this.#lines.close()
    this.#outbox.close()
    this.#commands.close()
    this.#modifications.close()
    await this.#watches.close()
    await this.#acknowledgements.settled()
  }

  #take(committed: Committed): void {
    if (this.#closed) return
    const { before, after, events } = committed
    this.#watches.take(committed)
    if (hasEnded(after.state)) return this.#takeEnded(after)
    if (before && before.owner.id !== after.owner.id) this.#registrations.handOver(before)
    // What was tried with another command does not count.
    if (before && before.options !== after.options && hasOtherCommand(before, after)) this.#commands.forget(after.id)
    const isAffected = before !== null && (before.options !== after.options || before.owner !== after.owner
      || before.state !== after.state || before.application !== after.application)
    if (isAffected || events.some(isDeliveredEvent)) this.#outbox.settle(after.id)
    // The step into `transferred` or `error` has its own event (BITS §6.3).
    const hasOwnEvent = before?.state !== after.state && (after.state === 'transferred' || after.state === 'error')
    if (committed.modified && !hasOwnEvent) this.#modifications.raise(after)
  }

  #progressed(jobId: string): void {
    if (this.#closed) return
    this.#watches.progressed(jobId)
    const job = this.#options.queue.get(jobId)
    if (job) this.#modifications.raise(job)
  }

  /** What is still to be told of a job that ended by itself goes on being told. */
  #takeEnded(job: JobRecord): void {
    if (this.#options.queue.unacknowledgedOf(job.id).length === 0) return this.#forget(job)
    this.#modifications.forget(job.id)
    this.#ended.keep(job)
    this.#settle(job.id)
  }

  #settle(jobId: string): void {
    this.#outbox.settle(jobId)
    const job = this.#ended.of(jobId)
    if (!job || !hasEnded(job.state)) return
    if (this.#options.queue.unacknowledgedOf(jobId).length === 0) this.#forget(job)
    // With nobody to tell it to, the record waits in the history.
    else if (!this.#outbox.has(jobId) && !job.options.notify.command) this.#ended.drop(jobId)
  }

  #endedOf({ jobIds }: Params<'callback.register'>, caller: Caller): Promise<readonly JobRecord[]> {
    const named = jobIds && new Set(jobIds)
    return this.#ended.load(({ jobId, ownerId }) => named ? named.has(jobId) : ownerId === caller.id)
  }

  #forget(job: JobRecord): void {
    const { id: jobId } = job
    this.#ended.drop(jobId)
    this.#outbox.forget(jobId)
    this.#commands.jobEnded(job)
    this.#modifications.forget(jobId)
    this.#registrations.forget(jobId)
  }

  /** An id may be one's own or, for admins, anybody's. */
  async #checkJobs(jobIds: readonly string[], caller: Caller): Promise<void> {
    for (const id of jobIds) {
      const job = this.#options.queue.get(id) ?? (await this.#options.past.get(id))
      if (!job || !mayTouch(caller, job)) throw new Refusal('job-not-found')
    }
  }

  async #endpoint(wanted: Params<'callback.register'>['endpoint'], connection: Connection): Promise<Endpoint> {
    if (wanted.kind === 'socket') {
      const endpoint = await this.#sockets.open(connection.caller.id, wanted.path)
      endpoint.onEnded(() => this.#endAll(endpoint))
      return endpoint
    }
    const present = this.#connections.get(connection)
    if (present) return present
    const endpoint = connectionEndpoint(connection)
    this.#connections.set(connection, endpoint)
    endpoint.onEnded(() => {
      this.#connections.delete(connection)
      this.#endAll(endpoint)
    })
    return endpoint
  }

  #jobsOf(registration: Registration): JobRecord[] {
    const { queue } = this.#options
    const { scope } = registration
    const candidates = scope.kind === 'jobs' ? [...scope.jobIds].map((id) => queue.get(id)) : [...queue.all()]
    return candidates.filter((job) => job !== null).filter((job) => !hasEnded(job.state) && isInScope(registration, job))
      .map((job) => {
        this.#modifications.restart(job)
        return job
      })
  }

  #endAll(endpoint: Endpoint): void {
    for (const registration of this.#registrations.at(endpoint)) this.#end(registration)
  }

  #end(registration: Registration): void {
    this.#registrations.remove(registration)
    this.#outbox.ended(registration)
  }
}

function hasOtherCommand(before: JobRecord, after: JobRecord): boolean {
  return JSON.stringify(before.options.notify.command) !== JSON.stringify(after.options.notify.command)
}

function scopeOf({ jobIds, application }: Params<'callback.register'>): Scope {
  if (jobIds) return { kind: 'jobs', jobIds: new Set(jobIds) }
  return application === undefined ? { kind: 'all' } : { kind: 'application', application }
}
