// The logger and what it hides: JSON lines on stderr. Header values, credentials and query strings never reach it;
// the paths below are the second lock on that door.
import { pino } from 'pino'

export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Log
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

const secret = ['headers', 'authorization', 'password', 'credentials', 'cookie']

export interface RootLog extends Log {
  level: string
}

/** Writes synchronously: a line that tells of a crash must not die with it. */
export function createLog(level: LogLevel, fields: object = {}): RootLog {
  return pino({
    level,
    base: { pid: process.pid, ...fields },
    redact: { paths: secret.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[hidden]' },
    formatters: { level: (label) => ({ level: label }) },
    timestamp: () => `,"time":${Date.now()}`,
  }, pino.destination({ dest: 2, sync: true }))
}
