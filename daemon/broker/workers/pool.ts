// One worker per owner: started when it is needed, shared by the owner's jobs, let go when it has been idle. A worker that
// ends takes nothing with it but its own transfers; the next order starts another. A job that may be what ends its worker
// has one of its own, which goes as soon as the job has done with it.
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
  /** By owner and, where it is one's own, job. */
  readonly #workers = new Map<string, Promise<LinkPeer>>()
  readonly #idle: DueTimes
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
    this.#idle = new DueTimes((key) => void this.#letGo(key))
  }

  get size(): number {
    return this.#workers.size
  }

  async workerOf(ownerId: string, alone: string = ''): Promise<WorkerLink> {
    if (this.#closed) throw new Error('the service is stopping')
    const key = `${ownerId} ${alone}`
    const present = this.#workers.get(key)
    const worker = await present
    // One that has just ended may still be in the table.
    if (worker && !worker.isClosed) return worker
    if (present && this.#workers.get(key) === present) this.#workers.delete(key)
    const other = this.#workers.get(key)
    if (other) return await other
    const starting = this.#start(key, ownerId)
    this.#workers.set(key, starting)
    try {
      return await starting
    } catch (error) {
      if (this.#workers.get(key) === starting) this.#workers.delete(key)
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

  async #start(key: string, ownerId: string): Promise<LinkPeer> {
    const log = this.#options.log.child({ owner: ownerId, worker: randomUUID().slice(0, 8) })
    const worker = new LinkPeer(await this.#options.start(ownerId, log), log, () => this.#idleChanged(key))
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
      this.#idle.clear(key)
      void this.#workers.get(key)?.then((present) => { if (present === worker) this.#workers.delete(key) }, () => undefined)
    })
    this.#configure(worker)
    await ready
    log.debug({ workerPid: worker.pid }, 'a worker is ready')
    this.#idleChanged(key)
    return worker
  }

  #configure(worker: LinkPeer): void {
    const { certificateAuthorities, logLevel, policies } = this.#options
    worker.notify('worker.configure', { certificateAuthorities: certificateAuthorities(), logLevel: logLevel(), policies: policies() })
  }

  #idleChanged(key: string): void {
    void this.#workers.get(key)?.then((worker) => {
      if (worker.isHeld || worker.isClosed) this.#idle.clear(key)
      else this.#idle.set(key, key.endsWith(' ') ? this.#options.idleSeconds() * 1000 : 0)
    }, () => undefined)
  }

  async #letGo(key: string): Promise<void> {
    const worker = await this.#workers.get(key)
    if (!worker || worker.isHeld) return
    this.#workers.delete(key)
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
