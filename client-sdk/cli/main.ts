// The command line `backhaul`: picks the verb, runs it, prints what went wrong, and chooses the exit code
// (contract §6). It never ends the process itself, so that everything written is still sent; a reader of stdout
// that went away ends the verb in silence.
import { Command, CommanderError } from 'commander'
import { packageVersion } from '../../protocol/version.ts'
import { addVerbs } from './commands/index.ts'
import { exitCodes, Interrupted, outcomeOf, UsageError, type ExitCode, type Outcome } from './outcome.ts'
import { harmless, painter } from './print.ts'
import { VerbRun, type Action, type GlobalOptions, type Run } from './verb.ts'

const afterwards = `
An ID may be shortened to a unique start. BACKHAUL_SOCKET names the daemon to talk to; where none is named and
none answers, a daemon of your own is started.

Examples:
  backhaul get https://example.org/disk.iso                 download here, with a progress bar
  backhaul get https://example.org/disk.iso /tmp/d.iso --checksum sha256:9f86d0…
  backhaul get --detach https://example.org/disk.iso        go on in the background; prints the job's id
  backhaul list                                             what is going on
  backhaul wait 1a2b --complete                             come back to a job and take its files
  backhaul list --json | jq '.jobs[].state'                 for scripts

Exit codes: 0 done · 1 the job ended in error (or was cancelled) · 2 wrong usage · 3 no daemon reachable ·
4 refused · 5 timed out · 130 interrupted`

/** `argv` without the program; answers the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const interruption = new AbortController()
  let isReaderGone = false
  const interrupt = (): void => {
    // Whoever presses it a second time means it.
    if (interruption.signal.aborted) process.exit(exitCodes.interrupted)
    interruption.abort(new Interrupted('Interrupted.'))
  }
  const leaveReader = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error
    isReaderGone = true
    interruption.abort(new Interrupted(''))
  }
  process.on('SIGINT', interrupt)
  process.stdout.on('error', leaveReader)
  process.stderr.on('error', leaveReader)
  const isJson = argv.includes('--json')
  let exitCode: ExitCode = exitCodes.done
  try {
    await program(isJson, runWith(interruption.signal, (code) => { exitCode = code })).parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    if (isReaderGone) return exitCodes.done
    return report(error, isJson)
  } finally {
    process.off('SIGINT', interrupt)
  }
}

function program(isJson: boolean, run: Run): Command {
  const command = new Command('backhaul')
    .description('Moves files in the background: queued durably, resumed after anything, complete or not at all.')
    .version(packageVersion, '-V, --version')
    .option('--json', 'print one JSON value, shaped like the answer of the protocol; errors as JSON on stderr')
    .option('--socket <PATH>', 'the daemon to talk to (BACKHAUL_SOCKET)')
    .addHelpText('after', afterwards)
    .showSuggestionAfterError()
    .helpCommand('help [verb]', 'show the help of a verb')
  addVerbs(command, run)
  for (const part of [command, ...command.commands]) {
    part.exitOverride().configureHelp({ showGlobalOptions: true })
      // Behind --json the error is printed as JSON, by `report`.
      .configureOutput({ writeErr: (text) => void (isJson || process.stderr.write(text)) })
  }
  return command
}

function runWith(signal: AbortSignal, onDone: (exitCode: ExitCode) => void): Run {
  return <Args extends unknown[]>(action: Action<Args>) => async (...all: [...Args, Command]) => {
    const command = all.at(-1) as Command
    const verb = new VerbRun(command.optsWithGlobals<GlobalOptions>(), signal, process)
    let timer: NodeJS.Timeout | undefined
    const interrupted = new Promise<never>((_, reject) => {
      // The verb may have something to say about how to come back; it gets a moment for that.
      signal.addEventListener('abort', () => { timer = setTimeout(() => reject(signal.reason), 300) }, { once: true })
    })
    try {
      const args = all.slice(0, -1) as Args
      onDone(await Promise.race([action(verb, ...args), interrupted]) ?? exitCodes.done)
    } finally {
      clearTimeout(timer)
      await verb.close()
    }
  }
}

function report(error: unknown, isJson: boolean): ExitCode {
  if (error instanceof CommanderError) {
    // Help and version were asked for; help that was not asked for is an answer to wrong usage.
    if (error.exitCode === 0) return exitCodes.done
    if (isJson) printError({ exitCode: exitCodes.usage, message: '', error: { kind: 'usage', code: null, message: error.message.replace(/^error: /, '') } }, isJson)
    return exitCodes.usage
  }
  const outcome = outcomeOf(error)
  if (!outcome) {
    process.stderr.write(`backhaul: a defect of this program: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`)
    return exitCodes.defect
  }
  printError(outcome, isJson)
  if (error instanceof UsageError && !isJson) process.stderr.write('See --help.\n')
  return outcome.exitCode
}

function printError(outcome: Outcome, isJson: boolean): void {
  if (isJson) return void process.stderr.write(`${JSON.stringify({ error: outcome.error })}\n`)
  if (outcome.message === '') return
  const paint = painter(process.stderr)
  const start = outcome.exitCode === exitCodes.interrupted ? '' : `${paint('red', 'backhaul:')} `
  process.stderr.write(`${start}${outcome.message.split('\n').map(harmless).join('\n')}\n`)
}
