// The notify command of a job (contract §4 rule 6, BITS §6.7): a program that is run as the owner, by his worker and
// without a shell, when an event has no endpoint or its call failed. Success acknowledges; a failing program is run
// again after the delays of a callback, ten times in all until the next start of the daemon. For one event at most
// one program runs. An event whose job somebody has ended is not news any more.
import { hasEnded } from '../../../protocol/job.ts'
import type { NotifyCommand } from '../../../protocol/options.ts'
import type { JobRecord } from '../../core/job.ts'
import type { Log } from '../../log.ts'
import { DueTimes, now } from '../clock.ts'
import type { Queue } from '../queue.ts'
import type { WorkerSource } from '../workers/worker-link.ts'
import { CallLines } from './call-lines.ts'
import { commandEnvironment, type OwnerAccount } from './command-environment.ts'
import { presentEvent, type DeliveredEvent } from './delivery.ts'
import { retryDelayMs, type CallbackSettings } from './settings.ts'

export interface CommandsOptions {
  readonly queue: Queue
  readonly jobOf: (jobId: string) => JobRecord | null
  readonly workers: WorkerSource
  readonly accountOf: (ownerId: string) => Promise<OwnerAccount | null>
  readonly socketPath: string
  readonly acknowledge: (event: DeliveredEvent) => Promise<boolean>
  /** The event is settled, or its job has no command any more. */
  readonly onSettled: (jobId: string) => void
  readonly settings: () => CallbackSettings
  readonly log: Log
}

const runsAtMost = 10
const graceMs = 5000
/** A command may complete its job and then do something with the files. */
const afterCompletedMs = 5000

interface Run {
  readonly event: DeliveredEvent
  /** It was acknowledged before, and replayed to an endpoint that failed. */
  readonly isReplay: boolean
  /** Programs that were started, or could not be. */
  runs: number
  /** Those and the times when there was no worker. */
  failures: number
  /** A program that runs now. */
  running: { readonly since: number; readonly program: string; readonly end: () => void } | null
}

export function isCommandKind(kind: DeliveredEvent['kind']): kind is 'transferred' | 'error' {
  return kind === 'transferred' || kind === 'error'
}

export class Commands {
  readonly #options: CommandsOptions
  /** By sequence. One that has failed too often stays, so that it is not begun anew. */
  readonly #runs = new Map<number, Run>()
  readonly #lines: CallLines
  readonly #due: DueTimes
  #lastCommandId = 0
  #closed = false

  constructor(options: CommandsOptions) {
    this.#options = options
    this.#lines = new CallLines(() => options.settings().atOncePerUser)
    this.#due = new DueTimes((sequence) => this.#line(Number(sequence)))
  }

  /** Whether the event is the command's now. */
  has(sequence: number): boolean {
    return this.#runs.has(sequence)
  }

  start(event: DeliveredEvent): void {
    const { sequence, jobId } = event
    if (this.#closed || this.#runs.has(sequence) || !this.#options.jobOf(jobId)?.options.notify.command) return
    this.#runs.set(sequence, { event, isReplay: !this.#isPending(event), runs: 0, failures: 0, running: null })
    this.#line(sequence)
  }

  /** A program that still runs for a job that has ended ends too. */
  jobEnded({ id, state }: JobRecord): void {
    for (const { event, running } of this.#runs.values()) {
      if (event.jobId !== id || !running) continue
      if (state === 'acknowledged') setTimeout(running.end, afterCompletedMs).unref()
      else running.end()
    }
    this.forget(id)
  }

  /** What the command of a job does now, as a sentence; `until`: when that ends at the latest. */
  describe(jobId: string): { readonly detail: string; readonly until: number | null } | null {
    const ofJob = [...this.#runs.values()].filter(({ event }) => event.jobId === jobId)
    const run = ofJob.find((one) => one.running) ?? ofJob[0]
    if (!run) return null
    const { running, event, runs } = run
    if (running) {
      const until = running.since + this.#options.settings().commandTimeoutSeconds * 1000
      return { detail: `The notify command ${running.program} runs for the event ${event.kind}, for the ${ordinal(runs)} time.`, until }
    }
    if (runs >= runsAtMost) return { detail: `The notify command failed ${runs} times; it is run again after the next start.`, until: null }
    return { detail: runs === 0 ? 'The notify command waits for its turn.' : `The notify command failed ${runs} times and is run again.`, until: null }
  }

  /** The job has another command: what was tried does not count. */
  forget(jobId: string): void {
    for (const [sequence, { event }] of this.#runs) if (event.jobId === jobId) this.#forget(sequence)
  }

  close(): void {
    this.#closed = true
    this.#due.close()
    this.#lines.close()
  }

  #isPending({ jobId, sequence }: DeliveredEvent): boolean {
    return this.#options.queue.unacknowledgedOf(jobId).some((event) => event.sequence === sequence)
  }

  #forget(sequence: number): void {
    this.#runs.delete(sequence)
    this.#due.clear(String(sequence))
  }

  #line(sequence: number): void {
    const run = this.#runs.get(sequence)
    const job = run && this.#options.jobOf(run.event.jobId)
    if (run && job) this.#lines.ask(job.owner.id, 'first', () => this.#begin(run))
  }

  #begin(run: Run): Promise<void> | null {
    const { jobOf, onSettled } = this.#options
    const { event } = run
    if (this.#closed || this.#runs.get(event.sequence) !== run) return null
    const job = jobOf(event.jobId)
    const command = job?.options.notify.command
    const isNews = job && (this.#isPending(event) || (run.isReplay && !hasEnded(job.state) && presentEvent(job)?.sequence === event.sequence))
    if (isNews && command) return this.#run(run, job, command)
    this.#forget(event.sequence)
    onSettled(event.jobId)
    return null
  }

  async #run(run: Run, job: JobRecord, command: NotifyCommand): Promise<void> {
    const { acknowledge, onSettled, settings, log } = this.#options
    const { event } = run
    const isDone = (await this.#succeeds(run, job, command)) && (await acknowledge(event))
    if (this.#closed || this.#runs.get(event.sequence) !== run) return
    if (isDone) {
      this.#forget(event.sequence)
      return onSettled(event.jobId)
    }
    run.failures++
    if (run.runs < runsAtMost) this.#due.set(String(event.sequence), retryDelayMs(settings(), run.failures))
    else log.warn({ jobId: job.id, kind: event.kind, runs: run.runs }, 'the notify command failed too often; it is run again after the next start')
  }

  async #succeeds(run: Run, job: JobRecord, { program, args }: NotifyCommand): Promise<boolean> {
    const { workers, accountOf, socketPath, log } = this.#options
    const { kind } = run.event
    try {
      const environment = commandEnvironment(job, kind, await accountOf(job.owner.id), socketPath)
      const worker = await workers.workerOf(job.owner.id)
      const release = worker.hold()
      try {
        run.runs++
        const timeoutMs = this.#options.settings().commandTimeoutSeconds * 1000
        const commandId = ++this.#lastCommandId
        const order = { commandId, program, args: [...args, job.id, kind], environment, timeoutMs }
        run.running = { since: now(), program, end: () => worker.notify('command.end', { commandId }) }
        const { exitCode, message } = await worker.request('command.run', order, timeoutMs + graceMs)
        const said = { jobId: job.id, kind, exitCode, message }
        if (message === null) log.debug(said, 'the notify command was run')
        else log.warn(said, 'the notify command did not end by itself')
        return exitCode === 0
      } finally {
        run.running = null
        release()
      }
    } catch (error) {
      if (!this.#closed) log.warn({ err: error, jobId: job.id, kind }, 'the notify command could not be run')
      return false
    }
  }
}

function ordinal(number: number): string {
  return `${number}${number === 1 ? 'st' : number === 2 ? 'nd' : number === 3 ? 'rd' : 'th'}`
}
