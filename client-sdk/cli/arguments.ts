// Reading what a person types: each function takes the text of one argument and gives its value, or says in a
// sentence what is wrong with it (exit code 2). What is only wrong for the daemon is left to the daemon.
import { readFileSync } from 'node:fs'
import { InvalidArgumentError, Option } from 'commander'
import type { Checksum, FileSpecSent, JobState, Priority, Range } from '../../protocol/job.ts'
import type { EventKind, JobOptions } from '../../protocol/options.ts'
import { UsageError } from './outcome.ts'

const algorithms = ['sha256', 'sha512', 'sha1', 'md5'] as const
const algorithmOfLength: Readonly<Record<number, Checksum['algorithm']>> = { 64: 'sha256', 128: 'sha512', 40: 'sha1', 32: 'md5' }
const states = ['suspended', 'queued', 'connecting', 'transferring', 'transient-error', 'error', 'transferred', 'acknowledged', 'cancelled'] as const satisfies readonly JobState[]
const kinds = ['transferred', 'error', 'modification', 'file-transferred', 'file-ranges-transferred'] as const satisfies readonly EventKind[]
export const priorities = ['foreground', 'high', 'normal', 'low'] as const satisfies readonly Priority[]

export function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError('It must be a number of seconds.')
  return value
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** `sha256:…`, or the hexadecimal text alone, whose length tells the algorithm. */
export function checksum(text: string): Checksum {
  const [first, second] = text.includes(':') ? text.split(':', 2) : [undefined, text]
  const value = second ?? ''
  const algorithm = first === undefined ? algorithmOfLength[value.length] : algorithms.find((name) => name === first.toLowerCase().replace('-', ''))
  if (!algorithm || !/^[0-9a-f]+$/i.test(value) || algorithmOfLength[value.length] !== algorithm) {
    throw new InvalidArgumentError('It must be ALGORITHM:HEX with sha256, sha512, sha1 or md5, in full length.')
  }
  return { algorithm, value: value.toLowerCase() }
}

/** `Name: value`, given once per header; `@FILE` takes them from a file's lines, out of sight of `ps`. */
export function header(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  if (text.startsWith('@')) return readLines(text.slice(1)).reduce((all, line) => header(line, all), { ...before })
  const [, name, value] = /^([^:\s]+)\s*:[ \t]*(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It must be "Name: value".')
  return { ...before, [name]: value }
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('@'))
  } catch (error) {
    throw new InvalidArgumentError(`The file cannot be read (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'}).`)
  }
}

/** `OFFSET:LENGTH` or `OFFSET:eof`, given once per range. */
export function range(text: string, before: readonly Range[] = []): Range[] {
  const [, offset, length] = /^(\d{1,15}):(\d{1,15}|eof)$/.exec(text) ?? []
  if (offset === undefined || length === undefined) throw new InvalidArgumentError('It must be OFFSET:LENGTH or OFFSET:eof, in bytes.')
  return [...before, { offset: Number(offset), length: length === 'eof' ? null : Number(length) }]
}

function listOf<T extends string>(known: readonly T[], what: string): (text: string, before?: readonly T[]) => T[] {
  return (text, before = []) => [...before, ...text.split(',').map((typed) => {
    const found = known.find((name) => name === typed.trim())
    if (found === undefined) throw new InvalidArgumentError(`It must be ${what}: ${known.join(', ')}.`)
    return found
  })]
}
export const jobStates = listOf(states, 'job states')
export const eventKinds = listOf(kinds, 'event kinds')

export function priorityOption(text: string): Option {
  return new Option('--priority <PRIORITY>', text).choices(priorities)
}

export const conflictRules = ['replace', 'rename', 'fail'] as const satisfies readonly JobOptions['onConflict'][]
const completions = ['manual', 'automatic'] as const satisfies readonly JobOptions['completion'][]

export function conflictOption(text: string): Option {
  return new Option('--on-conflict <RULE>', text).choices(conflictRules)
}

export function completionOption(text: string): Option {
  return new Option('--completion <WHEN>', text).choices(completions)
}

/** `URL LOCAL URL LOCAL …` as files. */
export function pairs(words: readonly string[], resolveLocal: (path: string) => string): FileSpecSent[] {
  if (words.length % 2 !== 0) throw new UsageError('Files are given in pairs: URL LOCAL [URL LOCAL …].')
  const files: FileSpecSent[] = []
  for (let at = 0; at < words.length; at += 2) files.push({ remoteName: words[at] ?? '', localName: resolveLocal(words[at + 1] ?? '') })
  return files
}
