// What every verb is given: a connection (a daemon is started where none answers and none was named), the output,
// and the signal of Ctrl-C. A verb prints its answer by `answer`, once; with `--json` that is the whole output.
import type { Command } from 'commander'
import { connect, type Client } from '../client.ts'
import { surroundings } from '../find-socket.ts'
import { startDaemon } from '../start.ts'
import { socketPath } from '../../protocol/address.ts'
import { packageVersion } from '../../protocol/version.ts'
import { Refusal } from '../../protocol/refusals.ts'
import type { ExitCode } from './outcome.ts'
import { painter, type Paint } from './print.ts'

export interface GlobalOptions {
  readonly json?: boolean
  readonly socket?: string
}

export interface Verb {
  readonly json: boolean
  readonly signal: AbortSignal
  readonly paint: Paint
  /** Connects once; the same client after that. */
  client(): Promise<Client>
  /** The answer of the verb: as JSON the value, else the text; an empty text prints nothing. */
  answer(value: unknown, text: string): void
  /** A line for people on stderr; nothing behind `--json`. */
  remark(text: string): void
}

/** Adds one verb to the program. */
export type AddVerb = (program: Command, run: Run) => void
export type Action<Args extends unknown[]> = (verb: Verb, ...args: Args) => Promise<ExitCode | void>
/** Makes a verb's action one that the command parser can call: its last two arguments are the options and the command. */
export type Run = <Args extends unknown[]>(action: Action<Args>) => (...args: [...Args, Command]) => Promise<void>

export interface Output {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

export class VerbRun implements Verb {
  readonly json: boolean
  readonly signal: AbortSignal
  readonly paint: Paint
  readonly #socket: string | undefined
  readonly #output: Output
  #client: Promise<Client> | null = null

  constructor({ json = false, socket }: GlobalOptions, signal: AbortSignal, output: Output) {
    this.json = json
    this.signal = signal
    this.#socket = socket
    this.#output = output
    this.paint = painter(output.stdout)
  }

  client(): Promise<Client> {
    this.#client ??= connectOrStart(this.#socket, (text) => this.remark(text))
    return this.#client
  }

  answer(value: unknown, text: string): void {
    if (this.json) this.#output.stdout.write(`${JSON.stringify(value)}\n`)
    else if (text !== '') this.#output.stdout.write(`${text}\n`)
  }

  remark(text: string): void {
    if (!this.json) this.#output.stderr.write(`${text}\n`)
  }

  async close(): Promise<void> {
    // A connection that failed has been reported by whoever asked for it.
    await this.#client?.then((client) => client.close(), () => {})
  }
}

/** A daemon that only restarts is back by then. */
const restartAfterMs = 3000

async function connectOrStart(socket: string | undefined, remark: (text: string) => void): Promise<Client> {
  const options = { client: { name: 'backhaul-cli', version: packageVersion }, reconnectTimeoutSeconds: 10 }
  const isNamed = socket !== undefined || Boolean(surroundings().environment['BACKHAUL_SOCKET'])
  try {
    const client = await connect({ ...options, socket })
    if (!isNamed) keepDaemon(client, remark)
    return client
  } catch (error) {
    if (isNamed || !(error instanceof Refusal) || error.kind !== 'no-daemon') throw error
    const started = await startDaemon()
    remark(`Started a daemon of your own (${started}).`)
    const client = await connect({ ...options, socket: started })
    keepDaemon(client, remark)
    return client
  }
}

/** Nobody else looks after a daemon of one's own: one that stays away while a verb waits for it is started again. */
function keepDaemon(client: Client, remark: (text: string) => void): void {
  if (client.socket !== socketPath('user', surroundings())) return
  client.on('disconnected', () => {
    const timer = setTimeout(() => {
      if (client.isConnected || client.isClosed) return
      startDaemon().then(() => remark('Started the daemon again.'), (error: unknown) => remark(error instanceof Error ? error.message : String(error)))
    }, restartAfterMs)
    timer.unref()
  })
}
