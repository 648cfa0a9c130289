// One job while it has a slot: which of its files move now, in which phase each is, and what their reports mean for
// its record. Reports that come while a commit is being written go together in the next one; those that only say that one of
// several files is done wait a moment for more of their kind.
import { failure, type Failure } from '../../protocol/failures.ts'
import {
  durableBytes, furthestOf, isDone, isLarge, isWorthStoring, withFile, withProgress, withResumePoint, type FileRecord, type JobRecord,
} from '../core/job.ts'
import { failJob } from '../core/failing.ts'
import { transition, type NewEvent } from '../core/transitions.ts'
import type { Reports, ResumePoint } from '../link/messages.ts'
import { phaseAfter, type Phase } from '../link/phases.ts'
import { now } from './clock.ts'
import { FileTurns } from './file-turns.ts'
import type { Surroundings } from './job-run-surroundings.ts'
import type { Change } from './queue.ts'
import { orderFor } from './transfer-order.ts'
import type { WorkerLink } from './workers/worker-link.ts'

/** What many small files cost is their commits. A crash within this time costs those files, nothing more. */
const gatherMs = 20
/** Stopping flushes at most what came since the last checkpoint. */
const stopWithinMs = 20_000

interface Moving {
  readonly index: number
  phase: Phase
}

/** What a report does to the record: the next record and the events that tell of it. */
type Update = (job: JobRecord) => { readonly job: JobRecord; readonly events: readonly NewEvent[]; readonly durable: boolean }

export class JobRun {
  readonly jobId: string
  readonly worker: WorkerLink
  /** Resolves when no transfer of the job is left and its last report is recorded. */
  readonly ended: Promise<void>
  readonly #around: Surroundings<JobRun>
  readonly #moving = new Map<number, Moving>()
  readonly #release: () => void
  #resolveEnded: () => void = () => {}
  #updates: Update[] = []
  /** Files whose record tells more than their live progress, once the updates are in it. */
  #done: number[] = []
  #gathering: NodeJS.Timeout | null = null
  #flushing: Promise<void> | null = null
  readonly #turns: FileTurns
  #stopping = false
  #hasFailed = false

  constructor(jobId: string, worker: WorkerLink, around: Surroundings<JobRun>) {
    this.jobId = jobId
    this.worker = worker
    this.#around = around
    this.#turns = new FileTurns(around.faults.suspects(jobId))
    this.#release = worker.hold()
    this.ended = new Promise((resolve) => { this.#resolveEnded = resolve })
  }

  /** Starts as many files as may move at once; ends the run when there is nothing left to do. */
  fill(): void {
    const job = this.#around.job(this.jobId)
    while (!this.#stopping && job && this.#receiving() < this.#around.filesAtOnce()) {
      const file = this.#turns.next(job.files, this.#moving.size === 0)
      if (!file) break
      if (!file.progress.done) this.#start(job, file)
    }
    if (this.worker.isClosed) return this.workerLost('it ended before it had its orders')
    if (this.#moving.size > 0) return
    // All files were done before: the job was stopped just after its last byte.
    if (!this.#stopping && job && isDone(job)) this.#update((present) => ({ job: present, events: [], durable: true }))
    this.#stopping = true
    this.#endWhenIdle()
  }

  /** Flushes what is there and ends; a worker that takes longer than `withinMs` for that is ended. */
  async stop(withinMs: number = stopWithinMs): Promise<void> {
    const limit = setTimeout(() => this.worker.end('it does not stop its transfers'), withinMs)
    if (!this.#stopping) {
      this.#stopping = true
      for (const transferId of this.#moving.keys()) this.worker.notify('transfer.stop', { transferId })
      this.#endWhenIdle()
    }
    await this.ended
    clearTimeout(limit)
  }

  /** The worker is gone, and with it every transfer. */
  workerLost(reason: string): void {
    const moved = [...this.#moving.values()].map(({ index }) => index)
    this.#moving.clear()
    if (moved.length > 0 && !this.#stopping) {
      this.fail(failure('worker-lost', `The process that moved the files has ended: ${reason}.`), null, moved)
    }
    this.#stopping = true
    this.#endWhenIdle()
  }

  /** A transient or fatal failure of the job; its other transfers are stopped by what follows from it. */
  fail(found: Failure, fileIndex: number | null, suspects: readonly number[] = fileIndex === null ? [] : [fileIndex]): void {
    const { clocks, faults } = this.#around
    this.#hasFailed = true
    const ownFaults = faults.failed(this.jobId, found.code, suspects)
    this.#update((job) => {
      const next = failJob(job, found, {
        fileIndex, now: now(), served: clocks.served(), ownFaults, troubledForMs: clocks.troubledForMs(this.jobId), spentMs: clocks.spentMs(this.jobId),
      })
      return { job: next?.job ?? job, events: next?.events ?? [], durable: true }
    })
    void this.stop()
  }

  isMovingTransfer(transferId: number): boolean {
    return this.#moving.has(transferId)
  }

  /** Takes a report about a transfer of this run. Returns false where it makes no sense in the transfer's phase. */
  take<Name extends `transfer.${string}` & keyof Reports>(name: Name, report: Reports[Name]): boolean {
    const moving = this.#moving.get(report.transferId)
    const phase = moving && phaseAfter(moving.phase, name)
    if (!moving || !phase) return false
    moving.phase = phase
    if (phase === 'ended') this.#moving.delete(report.transferId)
    this.#apply(name, report, moving.index)
    if (phase === 'ended' && name !== 'transfer.done') this.#around.live.clear(this.jobId, moving.index)
    if (phase === 'ended' || phase === 'received') this.fill()
    return true
  }

  #apply(name: keyof Reports, report: Reports[keyof Reports], index: number): void {
    if (name === 'transfer.progress' && 'bytesTransferred' in report) return this.#progress(index, report.bytesTransferred)
    if (name === 'transfer.received' && 'bytesTotal' in report) return this.#received(index, report.bytesTotal)
    const resumePoint = 'resumePoint' in report ? report.resumePoint : null
    if (name === 'transfer.connected' && resumePoint) return this.#connected(index, resumePoint, 'remoteName' in report ? report.remoteName : null)
    if (name === 'transfer.done' && resumePoint) return this.#fileDone(index, resumePoint)
    if (name !== 'transfer.stopped' || resumePoint) {
      this.#update((job) => ({
        job: withResumePoint(job, index, resumePoint), events: [], durable: name !== 'transfer.checkpoint' || isWorthStoring(job, index, resumePoint),
      }))
    }
    if (name === 'transfer.failed' && 'failure' in report) this.fail(report.failure, index)
  }

  #connected(index: number, resumePoint: ResumePoint, remoteName: string | null): void {
    this.#around.live.set(this.jobId, index, durableBytes(resumePoint))
    this.#update((job) => {
      const next = transition(job, { kind: 'connected' }, now())
      const moved = withResumePoint(next?.job ?? job, index, resumePoint)
      const homeOf = (file: FileRecord): string => file.home ?? new URL(file.remoteName).origin
      const named = remoteName === null ? moved : withFile(moved, index, (file) => ({ ...file, remoteName, home: homeOf(file) }))
      return { job: named, events: next?.events ?? [], durable: remoteName !== null || isLarge(resumePoint) }
    })
  }

  /** A small file says nothing before it is here. */
  #received(index: number, bytes: number): void {
    this.#around.live.set(this.jobId, index, bytes)
    if (this.#around.job(this.jobId)?.state !== 'connecting') return
    this.#update((job) => {
      const next = transition(job, { kind: 'connected' }, now())
      return { job: next?.job ?? job, events: next?.events ?? [], durable: false }
    })
  }

  #progress(index: number, bytes: number): void {
    const { live, clocks } = this.#around
    live.set(this.jobId, index, bytes)
    clocks.touch(this.jobId)
    // A byte beyond the furthest ends the trouble, and the no-progress timeout with it.
    const job = this.#around.job(this.jobId)
    if (!job || job.troubledSince === null || bytes <= furthestOf(job, index)) return
    this.#update((present) => ({ job: { ...present, troubledSince: null }, events: [], durable: false }))
  }

  #fileDone(index: number, resumePoint: ResumePoint): void {
    const event = (kind: NewEvent['kind']): NewEvent => ({ kind, fileIndex: index, error: null })
    this.#done.push(index)
    this.#updates.push((job) => ({
      job: withProgress({ ...job, troubledSince: null }, index, { resumePoint, furthest: undefined, done: true }),
      events: [...(job.files[index]?.ranges ? [event('file-ranges-transferred')] : []), event('file-transferred')],
      durable: true,
    }))
    this.#gathering ??= setTimeout(() => this.#startFlush(), gatherMs)
  }

  #update(update: Update): void {
    this.#updates.push(update)
    this.#startFlush()
  }

  #startFlush(): void {
    if (this.#gathering) clearTimeout(this.#gathering)
    this.#gathering = null
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = null
      this.#endWhenIdle()
    })
  }

  async #flush(): Promise<void> {
    // Reports of one read of the link arrive in one turn of the event loop: let them come.
    await Promise.resolve()
    while (this.#updates.length > 0) {
      const updates = this.#updates
      const done = this.#done
      this.#updates = []
      this.#done = []
      await this.#around.change(this.jobId, (job) => this.#fold(job, updates))
      for (const index of done) this.#around.live.clear(this.jobId, index)
    }
  }

  #fold(before: JobRecord, updates: readonly Update[]): Change {
    let job = before
    const events: NewEvent[] = []
    let durable = false
    for (const update of updates) {
      const next = update(job)
      job = next.job
      events.push(...next.events)
      durable ||= next.durable
    }
    const finished = isDone(job) ? transition(job, { kind: 'all-done' }, now(), this.#around.clocks.spentMs(this.jobId)) : null
    return {
      job: { ...(finished?.job ?? job), modifiedAt: now() },
      events: [...events, ...(finished?.events ?? [])],
      effects: finished?.effects ?? [],
      durable,
    }
  }

  #start(job: JobRecord, file: FileRecord): void {
    const transferId = this.#around.nextTransferId(this)
    this.#moving.set(transferId, { index: file.index, phase: 'ordered' })
    this.worker.notify('transfer.start', orderFor(transferId, job, file))
  }

  #receiving(): number {
    let count = 0
    for (const { phase } of this.#moving.values()) if (phase !== 'received') count++
    return count
  }

  #endWhenIdle(): void {
    if (!this.#stopping || this.#moving.size > 0 || this.#flushing) return
    if (this.#updates.length > 0) return this.#startFlush()
    this.#release()
    if (!this.#hasFailed) this.#around.faults.clear(this.jobId)
    this.#resolveEnded()
  }
}
