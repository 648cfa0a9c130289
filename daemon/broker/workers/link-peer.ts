// The broker's end of a link: orders go out, reports and answers come in and are checked with their schemas. Whatever is not in
// the table, does not fit its schema or comes at the wrong time ends the worker; what comes too fast waits (`link-intake.ts`).
import { createPeer, type Method, type Peer } from '../../../protocol/peer.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import { answers, reports, type ReportName, type Reports } from '../../link/messages.ts'
import { OutgoingLines } from '../../link/outgoing-lines.ts'
import type { Log } from '../../log.ts'
import { LinkIntake } from './link-intake.ts'
import type { WorkerLink } from './worker-link.ts'
import type { WorkerProcess } from './spawn.ts'

export type Listener<Name extends ReportName> = (report: Reports[Name]) => void

/** A worker that leaves this much unread is not working any more. */
const maximumBacklogBytes = 16 * 1024 * 1024
const exitWithinMs = 10_000

export class LinkPeer implements WorkerLink {
  readonly pid: number
  readonly #process: WorkerProcess
  readonly #log: Log
  readonly #peer: Peer
  readonly #intake: LinkIntake
  readonly #listeners = new Map<ReportName, Set<(report: never) => void>>()
  readonly #onIdleChange: () => void
  #closedListeners: ((reason: string) => void)[] = []
  #closedReason: string | null = null
  readonly #outgoing = new OutgoingLines((text) => this.#write(text))
  #holds = 0
  #isReady = false

  constructor(process: WorkerProcess, log: Log, onIdleChange: () => void) {
    this.#process = process
    this.#log = log
    this.#onIdleChange = onIdleChange
    this.pid = process.pid ?? 0
    const methods = new Map<string, Method>((Object.keys(reports) as ReportName[]).map((name) => [name, (params) => this.#take(name, params)]))
    this.#peer = createPeer({
      methods,
      send: (line) => { if (!this.isClosed) this.#outgoing.add(line) },
      onBreach: (kind) => this.end(`it broke the protocol: ${kind}`),
      onRefused: (kind) => this.end(`it broke the protocol: ${kind}`),
      onDefect: (error, method) => {
        this.#log.error({ err: error, method }, 'a report of a worker could not be taken')
        this.end('its report could not be taken')
        return 'report'
      },
    })
    this.#intake = new LinkIntake(process.link, (bytes) => this.#peer.receive(bytes))
    process.link.on('close', () => this.#closed('its link closed'))
    void process.exited.then(({ code, signal, reason }) => this.#closed(reason ?? `it exited with ${signal ?? code}`))
  }

  get isClosed(): boolean {
    return this.#closedReason !== null
  }

  get isHeld(): boolean {
    return this.#holds > 0
  }

  async request(name: keyof typeof answers, params: unknown, timeoutMs = 60_000): Promise<never> {
    try {
      const answer = answers[name].safeParse(await this.#peer.request(name, params, { timeoutMs }))
      if (answer.success) return answer.data as never
      this.end(`its answer to ${name} does not fit`)
      throw new Refusal('connection-closed')
    } catch (error) {
      // Work on files waits for nobody but the disk; a worker that does not even answer is stopped or stuck.
      if (error instanceof Refusal && error.kind === 'timeout' && name.startsWith('files.')) this.end(`it did not answer ${name}`)
      throw error
    }
  }

  notify(name: string, params: unknown): void {
    this.#peer.notify(name, params)
  }

  onReport<Name extends ReportName>(name: Name, listener: Listener<Name>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(listener))
    return () => void listeners.delete(listener)
  }

  onClosed(listener: (reason: string) => void): void {
    if (this.#closedReason !== null) listener(this.#closedReason)
    else this.#closedListeners.push(listener)
  }

  hold(): () => void {
    let held = true
    if (this.#holds++ === 0) this.#onIdleChange()
    return () => {
      if (!held) return
      held = false
      if (--this.#holds === 0) this.#onIdleChange()
    }
  }

  /** Closes the link; a worker then flushes what it has and exits. */
  finish(): void {
    this.#outgoing.flush()
    this.#process.link.end()
  }

  /** Ends a worker that cannot be believed any more. */
  end(why: string): void {
    if (this.isClosed) return
    this.#log.warn({ workerPid: this.pid, why }, 'a worker is ended')
    this.kill()
    this.#closed(why)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  #take(name: ReportName, params: unknown): null {
    if (this.isClosed) return null
    if ((name === 'worker.ready') === this.#isReady) {
      this.end(`its report ${name} makes no sense now`)
      return null
    }
    this.#isReady = true
    const checked = reports[name].safeParse(params)
    if (!checked.success) {
      this.end(`its report ${name} does not fit`)
      return null
    }
    // Every listener is for this very name, which the map's type cannot say.
    for (const listener of this.#listeners.get(name) ?? []) listener(checked.data as never)
    return null
  }

  #write(text: string): void {
    const { link } = this.#process
    if (link.destroyed || !link.writable) return
    link.write(text)
    if (link.writableLength > maximumBacklogBytes) this.end('it does not read')
  }

  #closed(reason: string): void {
    if (this.#closedReason !== null) return
    this.#closedReason = reason
    this.#intake.close()
    this.#process.link.destroy()
    this.#peer.close()
    // Without its link a worker flushes and exits; one that does not is ended.
    const timer = setTimeout(() => this.kill(), exitWithinMs)
    void this.#process.exited.then(() => clearTimeout(timer))
    const listeners = this.#closedListeners
    this.#closedListeners = []
    for (const listener of listeners) listener(reason)
  }
}

