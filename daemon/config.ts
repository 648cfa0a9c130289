// The configuration: defaults, the TOML file, checked with zod like the protocol (contract §7). An unknown key or a
// wrong type is named with its line; nothing is guessed. Where things lie comes from flags and the environment
// (`arguments.ts`), which beat the file.
import { readFileSync } from 'node:fs'
import { parse, TomlError } from 'smol-toml'
import * as z from 'zod'
import { logLevels } from './log.ts'

const count = z.int().min(1).max(1_000_000)
const seconds = z.number().positive().max(31_536_000)
const days = z.int().min(1).max(3650)
const absolutePath = z.string().regex(/^(\/|[A-Za-z]:[\\/])/, 'must be an absolute path')

const configuration = z.strictObject({
  limits: z.strictObject({
    jobsPerMachine: count.default(300),
    jobsPerUser: count.default(60),
    filesPerJob: count.default(200),
    rangesPerFile: count.default(500),
    connectionsPerUser: count.default(64),
  }).prefault({}),
  access: z.strictObject({
    adminGroups: z.array(z.string().min(1)).default(['sudo', 'wheel', 'admin']),
  }).prefault({}),
  jobs: z.strictObject({
    inactivityDays: days.default(90),
    historyDays: days.default(30),
    historyJobsPerUser: count.default(1000),
  }).prefault({}),
  transfer: z.strictObject({
    backgroundSlots: count.default(4),
    foregroundSlots: count.default(16),
    filesAtOnce: count.max(256).default(4),
    timeSliceSeconds: seconds.default(300),
    /** A job that moves less for a time slice gives its slot to whoever could move. */
    minimumBytesPerSecond: z.int().min(0).default(1024),
    workerIdleSeconds: seconds.default(60),
    /** PEM files of authorities to trust besides the known ones. */
    certificateAuthorities: z.array(absolutePath).default([]),
  }).prefault({}),
  callbacks: z.strictObject({
    answerTimeoutSeconds: seconds.default(30),
    commandTimeoutSeconds: seconds.max(86_400).default(300),
    retrySeconds: seconds.default(1),
    retryMaximumSeconds: seconds.default(300),
    atOncePerUser: count.max(1000).default(4),
  }).prefault({}),
  /** For the members of a group; without one, for everybody else. The first that fits a user is his (`broker/policies.ts`). */
  policy: z.array(z.strictObject({
    group: z.string().min(1).optional(),
    jobsPerUser: count.optional(),
    filesPerJob: count.optional(),
    rangesPerFile: count.optional(),
    exempt: z.boolean().optional(),
    notifyCommands: z.boolean().default(true),
    localFolders: z.array(z.string().regex(/^(\/|~(\/|$)|[A-Za-z]:[\\/])/, 'must be an absolute folder, or one that begins with ~')).optional(),
    remoteNames: z.array(z.string().regex(/^https?:\/\/[^/@\s]+(\/.*)?$/, 'must be like https://*.example.org/*')).optional(),
  })).default([]),
  log: z.strictObject({ level: z.enum(logLevels).default('info') }).prefault({}),
})
export type Configuration = z.output<typeof configuration>

/** What is wrong with the configuration, a line for each thing: `FILE:LINE: table.key: what`. */
export class ConfigurationInvalid extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigurationInvalid'
    this.problems = problems
  }
}

export interface ConfigurationFile {
  readonly configuration: Configuration
  /** What is wrong with the value at a place of it, as a line. */
  readonly problem: (path: readonly PropertyKey[], what: string) => string
}

/**
 * @param isNamed the file was named by somebody and must be there; the usual place may be empty
 * @throws ConfigurationInvalid
 */
export function readConfiguration(file: string, isNamed: boolean): ConfigurationFile {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (isNamed || !isMissing) throw new ConfigurationInvalid([`${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`])
  }
  return checkConfiguration(text, file)
}

function checkConfiguration(text: string, file: string): ConfigurationFile {
  const problem = (path: readonly PropertyKey[], what: string): string => `${file}:${lineOf(text, path.map(String))}: ${path.map(String).join('.')}: ${what}`
  const checked = configuration.safeParse(parseToml(text, file))
  if (checked.success) return { configuration: checked.data, problem }
  throw new ConfigurationInvalid(checked.error.issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return [problem(issue.path, issue.message)]
    return issue.keys.map((key) => problem([...issue.path, key], 'is not known'))
  }))
}

function parseToml(text: string, file: string): unknown {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    throw new ConfigurationInvalid([`${file}:${error.line}: ${error.message.split('\n')[0]}`])
  }
}

/** The parser keeps no positions, so the line is looked up: the key below its table's head, in any spelling of both. */
function lineOf(text: string, path: readonly string[]): number {
  const [table = '', ...rest] = path
  // In a list of tables the number says which of them.
  const wanted = /^\d+$/.test(rest[0] ?? '') && new RegExp(`^\\s*\\[\\[\\s*${table}\\s*\\]\\]`, 'm').test(text) ? Number(rest.shift()) : 0
  const [key] = rest
  let seen = -1
  let current = ''
  let headLine = 1
  for (const [at, line] of text.split('\n').entries()) {
    const head = /^\s*\[\[?\s*["']?([^\]"']+?)["']?\s*\]\]?/.exec(line)?.[1]
    if (head !== undefined) current = head
    if (head === table && ++seen === wanted) headLine = at + 1
    if (current === table && seen !== wanted) continue
    const name = /^\s*["']?([\w.-]+)["']?\s*=/.exec(line)?.[1]
    if (name === undefined) continue
    if (current === '' && (name === table || name === `${table}.${key}`)) return at + 1
    if (current === table && (name === key || name.startsWith(`${key}.`))) return at + 1
  }
  return headLine
}
