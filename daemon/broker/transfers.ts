// Turns the scheduler's decisions into orders to the owners' workers, and routes their reports to the job they are
// about. A report about a transfer that the worker was not given, or that makes no sense, ends the worker.
import { failure } from '../../protocol/failures.ts'
import { hasEnded } from '../../protocol/job.ts'
import { Refusal } from '../../protocol/refusals.ts'
import { isMoving } from '../core/transitions.ts'
import { failJob } from '../core/failing.ts'
import type { JobRecord } from '../core/job.ts'
import { reports, type Reports } from '../link/messages.ts'
import type { Log } from '../log.ts'
import { now } from './clock.ts'
import { JobRun } from './job-run.ts'
import type { Surroundings } from './job-run-surroundings.ts'
import type { JobClocks } from './job-clocks.ts'
import type { LiveProgress } from './live.ts'
import { OwnFaults } from './own-faults.ts'
import type { Change, Queue } from './queue.ts'
import type { WorkerLink, WorkerSource } from './workers/worker-link.ts'

export interface TransfersOptions {
  readonly queue: Queue
  readonly workers: WorkerSource
  readonly live: LiveProgress
  readonly clocks: JobClocks
  readonly filesAtOnce: () => number
  readonly log: Log
}

type TransferReport = Extract<keyof Reports, `transfer.${string}`>

/** While the store is full, what the transfers report is offered to it again this often. */
const offerAgainMs = 1000
/** The whole service must be able to stop within the time that its supervisor gives it. */
const closeWithinMs = 5000

export class Transfers {
  readonly #options: TransfersOptions
  readonly #runs = new Map<string, Promise<JobRun | null>>()
  readonly #runOfTransfer = new Map<number, JobRun>()
  readonly #runsOf = new Map<WorkerLink, Set<JobRun>>()
  readonly #faults = new OwnFaults()
  readonly #around: Surroundings<JobRun>
  #lastTransferId = 0
  #closed = false

  constructor(options: TransfersOptions) {
    this.#options = options
    this.#around = {
      live: options.live, clocks: options.clocks, faults: this.#faults, filesAtOnce: options.filesAtOnce,
      job: (jobId) => options.queue.get(jobId),
      nextTransferId: (run) => {
        this.#runOfTransfer.set(++this.#lastTransferId, run)
        return this.#lastTransferId
      },
      change: (jobId, decide) => this.#insist(jobId, decide),
    }
    options.queue.onCommitted(({ after }) => { if (hasEnded(after.state)) this.#faults.clear(after.id) })
  }

  /** Begins to move the files of a job that was given a slot. */
  start(jobId: string): void {
    const before = this.#runs.get(jobId)
    const run: Promise<JobRun | null> = (before ? this.stop(jobId) : Promise.resolve()).then(() => this.#begin(jobId))
    this.#runs.set(jobId, run)
    void run.then((begun) => begun?.ended ?? null).then(() => {
      if (this.#runs.get(jobId) !== run) return
      this.#runs.delete(jobId)
      this.#options.live.stop(jobId)
      // A file was added in the moment in which the last one ended.
      if (this.#mayMove(jobId)) this.start(jobId)
    })
  }

  /** Files were added to a job that moves. */
  async filesAdded(jobId: string): Promise<void> {
    const run = await this.#runs.get(jobId)
    if (run && this.#mayMove(jobId)) run.fill()
  }

  /** Resolves when nothing of the job moves any more and what was flushed is recorded. */
  async stop(jobId: string, withinMs?: number): Promise<void> {
    const run = await this.#runs.get(jobId)
    await run?.stop(withinMs)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#runs.keys()].map((jobId) => this.stop(jobId, closeWithinMs)))
  }

  async #begin(jobId: string): Promise<JobRun | null> {
    const job = this.#options.queue.get(jobId)
    if (!job || !this.#mayMove(jobId)) return null
    const run = await this.#newRun(job)
    if (this.#mayMove(jobId)) run?.fill()
    else await run?.stop()
    return run
  }

  #mayMove(jobId: string): boolean {
    const job = this.#options.queue.get(jobId)
    return job !== null && isMoving(job.state) && !this.#closed
  }

  async #newRun(job: JobRecord): Promise<JobRun | null> {
    try {
      const worker = await this.#options.workers.workerOf(job.owner.id, this.#faults.has(job.id) ? job.id : undefined)
      const run = new JobRun(job.id, worker, this.#around)
      const runs = this.#routed(worker).add(run)
      void run.ended.then(() => runs.delete(run))
      return run
    } catch (error) {
      if (this.#closed) return null
      this.#options.log.error({ err: error, jobId: job.id, owner: job.owner.id }, 'no worker could be started for a job')
      await this.#failWithoutWorker(job.id)
      return null
    }
  }

  async #failWithoutWorker(jobId: string): Promise<void> {
    const { clocks } = this.#options
    const ownFaults = this.#faults.failed(jobId, 'worker-unavailable', [])
    const found = failure('worker-unavailable', 'No process could be started to move the files of this owner.')
    await this.#insist(jobId, (job) => failJob(job, found, {
      fileIndex: null, now: now(), served: clocks.served(), ownFaults, troubledForMs: clocks.troubledForMs(jobId), spentMs: clocks.spentMs(jobId),
    }))
  }

  /** The runs of a worker, whose reports are routed to them from the first one on. */
  #routed(worker: WorkerLink): Set<JobRun> {
    const present = this.#runsOf.get(worker)
    if (present) return present
    const runs = new Set<JobRun>()
    this.#runsOf.set(worker, runs)
    for (const name of Object.keys(reports)) if (isTransferReport(name)) worker.onReport(name, (report) => this.#take(worker, name, report))
    worker.onClosed((reason) => {
      this.#runsOf.delete(worker)
      for (const run of runs) run.workerLost(reason)
    })
    return runs
  }

  #take<Name extends TransferReport>(worker: WorkerLink, name: Name, report: Reports[Name]): void {
    const run = this.#runOfTransfer.get(report.transferId)
    if (!run || run.worker !== worker || !run.take(name, report)) return worker.end(`its report ${name} makes no sense now`)
    if (!run.isMovingTransfer(report.transferId)) this.#runOfTransfer.delete(report.transferId)
  }

  /** What a worker did cannot be refused: where the queue cannot be written it is offered again until it can. */
  async #insist(jobId: string, decide: (job: JobRecord) => Change | null): Promise<JobRecord | null> {
    for (;;) {
      try {
        return await this.#options.queue.change(jobId, decide)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        if (error.kind !== 'storage-full' || this.#closed) return null
        await new Promise((resolve) => { setTimeout(resolve, offerAgainMs) })
      }
    }
  }
}

function isTransferReport(name: string): name is TransferReport {
  return name.startsWith('transfer.')
}
