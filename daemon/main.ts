// The daemon's process: reads how it is to run, starts the broker, says that it is ready, and stops in order on a
// signal. What stops the start is one clear line on stderr and exit code 1 (2 for a wrong flag).
import { packageVersion } from '../protocol/version.ts'
import { help, readArguments, UsageError, type Arguments } from './arguments.ts'
import { assemble, type Assembly } from './assembly.ts'
import { takeSupervisor } from './broker/supervisor.ts'
import { groupIdOf } from './broker/workers/account.ts'
import { ConfigurationInvalid } from './config.ts'
import { createLog, type RootLog } from './log.ts'
import { readSettings, type Settings } from './settings.ts'

/** A stop that takes longer than this ends the process all the same; what was acknowledged is on disk. */
const stopWithinMs = 20_000

/** Runs until a signal stops it. */
export async function main(argv: string[]): Promise<void> {
  try {
    const asked = readArguments(argv)
    if (asked.kind === 'version') return void process.stdout.write(`backhauld ${packageVersion}\n`)
    if (asked.kind === 'help') return void process.stdout.write(help)
    await run(asked.arguments)
  } catch (error) {
    process.stderr.write(`backhauld: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(error instanceof UsageError ? 2 : 1)
  }
}

async function run(at: Arguments): Promise<void> {
  let configuration = await readSettings(at, groupIdOf)
  const log = createLog(at.logLevel ?? configuration.log.level)
  const supervisor = takeSupervisor(process.env, (error) => log.warn({ err: error }, 'the supervisor could not be told'))
  endOnDefect(log)

  const starting = assemble({ at, configuration: () => configuration, activatedFd: supervisor.activatedSocketFd(), log })
  const reread = async (): Promise<void> => {
    const assembly = await starting
    supervisor.reloading()
    configuration = await reload(at, configuration, log)
    assembly.reload()
    supervisor.ready()
  }
  const heartbeatMs = supervisor.watchdogIntervalMs()
  const heartbeat = heartbeatMs === null ? null : setInterval(() => supervisor.alive(), heartbeatMs)
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return
    stopping = true
    supervisor.stopping()
    log.info({ signal }, 'backhauld stops')
    void stopInOrder(starting, log).finally(() => { if (heartbeat) clearInterval(heartbeat) })
  }
  // Before it can be called by anybody: a signal that comes during the start is done after it, and does not end it halfway.
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // One after the other: the last one read is the one that counts.
  let rereading: Promise<void> = Promise.resolve()
  process.on('SIGHUP', () => { rereading = rereading.then(reread) })
  const assembly = await starting
  if (stopping) return
  log.info({ version: packageVersion, mode: at.mode, socket: at.socket, jobs: assembly.jobs }, 'backhauld is ready')
  supervisor.ready(`${assembly.jobs} jobs in the queue`)
}

async function stopInOrder(starting: Promise<Assembly>, log: RootLog): Promise<void> {
  const timer = setTimeout(() => {
    log.error({}, 'the stop took too long')
    process.exit(1)
  }, stopWithinMs)
  await (await starting).stop()
  clearTimeout(timer)
  log.info({}, 'backhauld has stopped')
  process.exit(0)
}

async function reload(at: Arguments, present: Settings, log: RootLog): Promise<Settings> {
  try {
    const read = await readSettings(at, groupIdOf)
    log.level = at.logLevel ?? read.log.level
    log.info({ config: at.config }, 'the configuration was read again')
    return read
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error
    log.error({ problems: error.problems }, 'the configuration is wrong; the one before stays')
    return present
  }
}

/** A defect ends the process: what is on disk is right, and the next start recovers from it. */
function endOnDefect(log: RootLog): void {
  const end = (error: unknown): void => {
    log.error({ err: error }, 'a defect ends the daemon')
    process.exit(70)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}
