// Puts the broker's rooms together, starts them in the order in which they need each other, and stops them in reverse:
// no more callers, no more slots, transfers flushed and recorded, the store last.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Arguments } from './arguments.ts'
import { now } from './broker/clock.ts'
import { Ending } from './broker/ending.ts'
import { Expiry } from './broker/expiry.ts'
import { History } from './broker/history.ts'
import { JobClocks } from './broker/job-clocks.ts'
import { LiveProgress } from './broker/live.ts'
import type { Broker } from './broker/methods/call.ts'
import { Notifier } from './broker/notify/notifier.ts'
import { OwnerFiles } from './broker/owner-files.ts'
import { Policies } from './broker/policies.ts'
import { Queue } from './broker/queue.ts'
import { Retention } from './broker/retention.ts'
import { bytesHere } from './core/view.ts'
import { Connections } from './broker/rpc/connections.ts'
import { Dispatch } from './broker/rpc/dispatch.ts'
import { listen } from './broker/rpc/listener.ts'
import { Scheduler } from './broker/scheduler.ts'
import { ServiceTime } from './broker/service-time.ts'
import { LevelStore } from './broker/store/level-store.ts'
import { load } from './broker/store/load.ts'
import * as records from './broker/store/records.ts'
import { openKeys } from './broker/store/secret-key.ts'
import { Secrets } from './broker/store/secrets.ts'
import { Transfers } from './broker/transfers.ts'
import { Views } from './broker/views.ts'
import { Waiters } from './broker/waiters.ts'
import { accountOf } from './broker/workers/account.ts'
import { WorkerPool } from './broker/workers/pool.ts'
import { spawnWorker, type WorkerProcess } from './broker/workers/spawn.ts'
import { publishesItself } from './core/job.ts'
import type { Log } from './log.ts'
import { openStateFolder } from './state-folder.ts'
import type { Settings } from './settings.ts'

export interface Assembly {
  readonly jobs: number
  /** The configuration was read again. */
  reload(): void
  stop(): Promise<void>
}

export interface AssemblyOptions {
  readonly at: Arguments
  readonly configuration: () => Settings
  readonly activatedFd: number | null
  readonly log: Log
  /** Tests put another program in the place of the worker; no flag does. */
  readonly workerProgram?: string
}

/** @throws StoreUnusable, AlreadyRunning, or an error whose message is for the person who started the daemon */
export async function assemble(options: AssemblyOptions): Promise<Assembly> {
  const { at, log } = options
  openStateFolder(at.state, at.mode)
  const store = await LevelStore.open(join(at.state, 'queue'), log)
  try {
    return await furnish(options, store)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function furnish({ at, configuration, activatedFd, log, workerProgram }: AssemblyOptions, store: LevelStore): Promise<Assembly> {
  const secrets = new Secrets(openKeys(at.state))
  const stored = await load(store, log)
  const loaded = { ...stored, jobs: stored.jobs.map((job) => secrets.unseal(job, log)) }
  const history = new History(store)
  const served = new ServiceTime({ before: loaded.served, log, write: (ms) => store.commit([records.servedOperation(ms)]) })
  const queue = new Queue({
    ...loaded, served: () => served.now(), limits: () => configuration().limits, newId: randomUUID,
    store: {
      ...records, commit: (operations) => store.commit(operations), findToken: (ownerId, token) => history.findToken(ownerId, token),
      jobOperations: (before, after) => records.jobOperations(before, secrets.seal(after)),
    },
  })
  await queue.reserveSequence()

  const policies = new Policies({ tables: () => configuration().policy, limits: () => configuration().limits })
  const live = new LiveProgress()
  const clocks = new JobClocks(() => served.now())
  const waiters = new Waiters()
  const startedAt = now()
  for (const job of queue.all()) clocks.load(job)
  queue.onCommitted((committed) => clocks.take(committed))

  const workers = new WorkerPool({
    start: (ownerId, ownerLog) => startWorker(ownerId, ownerLog, workerProgram), log,
    idleSeconds: () => configuration().transfer.workerIdleSeconds,
    certificateAuthorities: () => configuration().authorities,
    logLevel: () => at.logLevel ?? configuration().log.level,
    policies: () => policies.rules(),
  })
  const transfers = new Transfers({ queue, workers, live, clocks, log, filesAtOnce: () => configuration().transfer.filesAtOnce })
  const ending: Ending = new Ending({
    queue, ownerFiles: new OwnerFiles(workers, log), clocks, log, stopTransfers: (jobId) => transfers.stop(jobId), released: (job) => scheduler.released(job),
  })
  const scheduler: Scheduler = new Scheduler({
    queue, clocks, log, start: (jobId) => transfers.start(jobId), isHeld: (jobId) => ending.isHeld(jobId),
    slots: () => ({ foreground: configuration().transfer.foregroundSlots, background: configuration().transfer.backgroundSlots }),
    timeSliceSeconds: () => configuration().transfer.timeSliceSeconds,
    minimumBytesPerSecond: () => configuration().transfer.minimumBytesPerSecond,
    progressOf: (job) => {
      const moving = live.of(job.id)
      return { bytes: bytesHere(job, moving), bytesPerSecond: moving.bytesPerSecond }
    },
  })
  queue.onCommitted(({ after, effects, before }) => {
    if (effects.includes('stop-transfers')) void transfers.stop(after.id)
    if (effects.includes('remove-partial-files')) void ending.remove(after.id)
    if (effects.includes('publish')) void ending.completeByItself(after.id)
    if (before && before.state !== after.state) log.info({ jobId: after.id, owner: after.owner.id, from: before.state, state: after.state, code: after.error?.code }, 'job state')
  })
  queue.onCommitted(({ before, after }) => {
    if (before && before.owner.id !== after.owner.id) log.info({ jobId: after.id, from: before.owner.id, owner: after.owner.id }, 'a job was taken over')
  })
  queue.onCommitted((committed) => waiters.take(committed))
  const views = new Views({ queue, live, whyWaiting: (job) => scheduler.whyWaiting(job) })
  const expiry = new Expiry({
    queue, clocks, log, upMs: () => served.upMs(), inactivityDays: () => configuration().jobs.inactivityDays,
  })
  const retention = new Retention({
    queue, history, log, served: () => served.now(),
    historyDays: () => configuration().jobs.historyDays, historyJobsPerUser: () => configuration().jobs.historyJobsPerUser,
  })
  for (const job of queue.all()) {
    if (job.cleaning) void ending.remove(job.id)
    else if (job.publishing) void ending.finish(job.id)
    else if (job.state === 'transferred' && publishesItself(job)) void ending.completeByItself(job.id)
  }
  history.onForgotten((jobId) => queue.forgetEvents(jobId))
  const notifier = new Notifier({
    queue, views, workers, log, past: history, progress: live, startSequence: loaded.sequence, socketPath: at.socket,
    settings: () => configuration().callbacks,
    accountOf: (ownerId) => accountOf(Number(ownerId)),
  })

  const broker: Broker = {
    queue, views, live, clocks, history, ending, transfers, waiters, notifier, workers, policies, limits: () => configuration().limits,
    instance: { id: randomUUID(), mode: at.mode, startedAt, platform: process.platform },
  }
  const connections = new Connections({
    mode: at.mode, ownUid: process.getuid?.() ?? null, adminGroups: () => configuration().access.adminGroups,
    connectionsPerUser: () => configuration().limits.connectionsPerUser, dispatch: new Dispatch(broker), log,
  })
  const listener = await listen({
    path: at.socket, mode: at.mode, activatedFd,
    onConnection: (socket) => void connections.accept(socket),
    onError: (error) => log.error({ err: error }, 'a connection could not be accepted'),
    onBoundAnew: () => log.warn({ socket: at.socket }, 'the socket was gone; it was made anew'),
    onLost: (error) => log.error({ err: error, socket: at.socket }, 'the socket is gone and cannot be made anew; it is tried again every second'),
  })

  // Notify commands may call us, so not before we can be called.
  notifier.start()

  return {
    jobs: loaded.jobs.length,
    reload: () => {
      workers.reconfigure()
      scheduler.look()
      retention.look()
    },
    async stop() {
      await listener.close()
      scheduler.close()
      expiry.close()
      retention.close()
      await transfers.close()
      await queue.close()
      await ending.close()
      waiters.close()
      await notifier.close()
      await connections.close()
      await workers.close()
      await served.close()
      await store.close()
    },
  }
}

/** A process that is the owner; root switches to him, everybody else can only be himself. */
async function startWorker(ownerId: string, log: Log, main: string | undefined): Promise<WorkerProcess> {
  const logLine = (line: string): void => log.info({ line }, 'worker')
  const ownUid = process.getuid?.()
  const program = main === undefined ? {} : { main }
  if (ownUid === undefined || String(ownUid) === ownerId) return spawnWorker({ account: null, log: logLine, ...program })
  if (ownUid !== 0) throw new Error(`only root can run a process as another user (${ownerId})`)
  const account = await accountOf(Number(ownerId))
  if (!account) throw new Error(`there is no user ${ownerId} (any more)`)
  return spawnWorker({ account, log: logLine, ...program })
}
