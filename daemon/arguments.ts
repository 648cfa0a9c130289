// Flags and environment of `backhauld` (contract §1): where things lie and in which mode it runs. A flag beats the
// environment, which beats the file.
import { userInfo, tmpdir, homedir } from 'node:os'
import { parseArgs } from 'node:util'
import { configurationFile, socketPath, stateFolder, type Mode, type Surroundings } from '../protocol/address.ts'
import { logLevels, type LogLevel } from './log.ts'

export interface Arguments {
  readonly mode: Mode
  readonly socket: string
  readonly state: string
  readonly config: string
  /** The configuration file was named by flag or environment, so it must be there. */
  readonly isConfigNamed: boolean
  /** `null`: as the configuration says. */
  readonly logLevel: LogLevel | null
}

export class UsageError extends Error {}

export const help = `backhauld - moves files in the background for programs

Usage: backhauld [flags]

  --socket PATH          listen here            (BACKHAUL_SOCKET)
  --state DIR            keep the queue here    (BACKHAUL_STATE)
  --config FILE          read this file         (BACKHAUL_CONFIG)
  --mode system|user     default: system for root, user for everybody else (BACKHAUL_MODE)
  --log-level LEVEL      ${logLevels.join(', ')} (BACKHAUL_LOG_LEVEL)
  --version              print the version
  --help                 print this

It stays in the foreground and logs JSON lines to stderr. It is ready when the socket accepts.
SIGTERM and SIGINT stop it in order, SIGHUP reads the configuration again.

                system mode                     user mode
  socket        /run/backhaul/backhaul.sock     $XDG_RUNTIME_DIR/backhaul/backhaul.sock
  state         /var/lib/backhaul               $XDG_STATE_HOME/backhaul (~/.local/state/backhaul)
  config        /etc/backhaul/config.toml       $XDG_CONFIG_HOME/backhaul/config.toml
`

const flags = {
  'socket': { type: 'string' }, 'state': { type: 'string' }, 'config': { type: 'string' }, 'mode': { type: 'string' },
  'log-level': { type: 'string' }, 'version': { type: 'boolean' }, 'help': { type: 'boolean' },
} as const

export type Asked = { readonly kind: 'run'; readonly arguments: Arguments } | { readonly kind: 'version' } | { readonly kind: 'help' }

/** @throws UsageError with one line for the person at the keyboard */
export function readArguments(argv: readonly string[], environment: NodeJS.ProcessEnv = process.env): Asked {
  const given = parse(argv)
  if (given.help) return { kind: 'help' }
  if (given.version) return { kind: 'version' }
  const named = (flag: 'socket' | 'state' | 'config' | 'mode' | 'log-level', variable: string): string | undefined => given[flag] ?? (environment[variable] || undefined)
  const at = surroundings(environment)
  const mode = oneOf('mode', named('mode', 'BACKHAUL_MODE') ?? (at.uid === 0 ? 'system' : 'user'), ['system', 'user'] as const)
  const logLevel = named('log-level', 'BACKHAUL_LOG_LEVEL')
  const config = named('config', 'BACKHAUL_CONFIG')
  return { kind: 'run', arguments: {
    mode,
    socket: named('socket', 'BACKHAUL_SOCKET') ?? socketPath(mode, at),
    state: named('state', 'BACKHAUL_STATE') ?? stateFolder(mode, at),
    config: config ?? configurationFile(mode, at),
    isConfigNamed: config !== undefined,
    logLevel: logLevel === undefined ? null : oneOf('log-level', logLevel, logLevels),
  } }
}

function parse(argv: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof flags }>>['values'] {
  try {
    return parseArgs({ args: [...argv], options: flags, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value)
  if (found === undefined) throw new UsageError(`--${flag} must be one of ${allowed.join(', ')}, not ${value}`)
  return found
}

function surroundings(environment: NodeJS.ProcessEnv): Surroundings {
  const uid = process.getuid?.() ?? null
  return { platform: process.platform, environment, uid, userName: uid === null ? userInfo().username : String(uid), home: homedir(), temporaryFolder: tmpdir() }
}
