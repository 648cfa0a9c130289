// One worker per owner: started when it is needed, shared by all his jobs, let go when it has been idle. A worker that
// ends takes nothing with it but its own transfers; the next order starts another.
import { randomUUID } from 'node:crypto'
import type { OwnerRules } from '../../link/policy-rules.ts'
import type { Log } from '../../log.ts'
import { DueTimes } from '../clock.ts'
import { LinkPeer } from './link-peer.ts'
import type { WorkerProcess } from './spawn.ts'
import type { WorkerLink, WorkerSource } from './worker-link.ts'

export interface PoolOptions {
  /** Starts the process of an owner; rejects with a sentence where he has no account (any more). */
  readonly start: (ownerId: string, log: Log) => Promise<WorkerProcess>
  readonly idleSeconds: () => number
  readonly certificateAuthorities: () => readonly string[]
  readonly logLevel: () => string
  readonly policies: () => readonly OwnerRules[]
  readonly log: Log
}

const readyWithinMs = 15_000
/** A worker gives itself four seconds to flush. */
const stopWithinMs = 5000

export class WorkerPool implements WorkerSource {
  readonly #options: PoolOptions
  readonly #workers = new Map<string, Promise<LinkPeer>>()
  readonly #idle: DueTimes
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
    this.#idle = new DueTimes((ownerId) => void this.#letGo(ownerId))
  }

  get size(): number {
    return this.#workers.size
  }

  async workerOf(ownerId: string): Promise<WorkerLink> {
    if (this.#closed) throw new Error('the service is stopping')
    const present = this.#workers.get(ownerId)
    const worker = await present
    // One that has just ended may still be in the table.
    if (worker && !worker.isClosed) return worker
    if (present && this.#workers.get(ownerId) === present) this.#workers.delete(ownerId)
    const other = this.#workers.get(ownerId)
    if (other) return await other
    const starting = this.#start(ownerId)
    this.#workers.set(ownerId, starting)
    try {
      return await starting
    } catch (error) {
      if (this.#workers.get(ownerId) === starting) this.#workers.delete(ownerId)
      throw error
    }
  }

  /** The configuration was read again. */
  reconfigure(): void {
    for (const starting of this.#workers.values()) void starting.then((worker) => this.#configure(worker), () => undefined)
  }

  /** Lets every worker flush and exit, and ends those that take too long. */
  async close(): Promise<void> {
    this.#closed = true
    this.#idle.close()
    await Promise.all([...this.#workers.values()].map((starting) => starting.then(stop, () => undefined)))
  }

  async #start(ownerId: string): Promise<LinkPeer> {
    const log = this.#options.log.child({ owner: ownerId, worker: randomUUID().slice(0, 8) })
    const worker = new LinkPeer(await this.#options.start(ownerId, log), log, () => this.#idleChanged(ownerId))
    const ready = new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => worker.end('it did not become ready'), readyWithinMs)
      worker.onReport('worker.ready', () => {
        clearTimeout(limit)
        resolve()
      })
      worker.onClosed((reason) => {
        clearTimeout(limit)
        reject(new Error(reason))
      })
    })
    worker.onClosed((reason) => {
      log.debug({ reason }, 'a worker has ended')
      this.#idle.clear(ownerId)
      void this.#workers.get(ownerId)?.then((present) => { if (present === worker) this.#workers.delete(ownerId) }, () => undefined)
    })
    this.#configure(worker)
    await ready
    log.debug({ workerPid: worker.pid }, 'a worker is ready')
    this.#idleChanged(ownerId)
    return worker
  }

  #configure(worker: LinkPeer): void {
    const { certificateAuthorities, logLevel, policies } = this.#options
    worker.notify('worker.configure', { certificateAuthorities: certificateAuthorities(), logLevel: logLevel(), policies: policies() })
  }

  #idleChanged(ownerId: string): void {
    void this.#workers.get(ownerId)?.then((worker) => {
      if (worker.isHeld || worker.isClosed) this.#idle.clear(ownerId)
      else this.#idle.set(ownerId, this.#options.idleSeconds() * 1000)
    }, () => undefined)
  }

  async #letGo(ownerId: string): Promise<void> {
    const worker = await this.#workers.get(ownerId)
    if (!worker || worker.isHeld) return
    this.#workers.delete(ownerId)
    await stop(worker)
  }
}

async function stop(worker: LinkPeer): Promise<void> {
  const ended = new Promise<void>((resolve) => worker.onClosed(() => resolve()))
  const timer = setTimeout(() => worker.kill(), stopWithinMs)
  worker.finish()
  await ended
  clearTimeout(timer)
}
