// The configuration with all that it names: files of authorities and groups. It is read and checked as one value before any of it
// takes effect, so that a start fails in clear words, and a reload changes everything or nothing. A group that there is not makes the
// configuration wrong: a policy that silently bound nobody would let its members do what it forbids.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { GroupPolicy } from './broker/policies.ts'
import { systemAuthorities } from './broker/workers/trust.ts'
import { ConfigurationInvalid, readConfiguration, type Configuration, type ConfigurationFile } from './config.ts'

export interface Settings extends Omit<Configuration, 'policy'> {
  readonly policy: readonly GroupPolicy[]
  /** The texts of all authorities, where some are named; none: a worker knows the usual ones by itself. */
  readonly authorities: readonly string[]
}

/** The group's number, or `null` where there is no such group. */
export type GroupIdOf = (name: string) => Promise<number | null>

/** @throws ConfigurationInvalid */
export async function readSettings(at: { readonly config: string; readonly isConfigNamed: boolean }, groupIdOf: GroupIdOf): Promise<Settings> {
  const file = readConfiguration(at.config, at.isConfigNamed)
  const problems: string[] = []
  const authorities = readAuthorities(file, problems)
  const policy = await findGroups(file, groupIdOf, problems)
  if (problems.length > 0) throw new ConfigurationInvalid(problems)
  return { ...file.configuration, policy, authorities }
}

function readAuthorities({ configuration, problem }: ConfigurationFile, problems: string[]): string[] {
  const named = configuration.transfer.certificateAuthorities
  const texts = named.flatMap((path, index) => {
    try {
      return [certificatesOf(path)]
    } catch (error) {
      problems.push(problem(['transfer', 'certificateAuthorities', index], `${path} ${messageOf(error)}`))
      return []
    }
  })
  // With authorities of its own a worker does not look at the system's by itself, so they go along.
  const system = named.length === 0 ? null : systemAuthorities()
  return [...(system === null ? [] : [readFileSync(system, 'utf8')]), ...texts]
}

/** @throws Error what is wrong with the file, to be said after its name */
function certificatesOf(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`cannot be read: ${messageOf(error)}`)
  }
  const found = text.match(/-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (X509 |TRUSTED )?CERTIFICATE-----/g) ?? []
  if (found.length === 0) throw new Error('holds no certificate (PEM)')
  if (found.length !== text.split('CERTIFICATE-----').length >> 1) throw new Error('holds a certificate that is cut off')
  try {
    for (const certificate of found) new X509Certificate(certificate)
  } catch (error) {
    throw new Error(`holds a certificate that cannot be read: ${messageOf(error)}`)
  }
  return text
}

async function findGroups({ configuration, problem }: ConfigurationFile, groupIdOf: GroupIdOf, problems: string[]): Promise<GroupPolicy[]> {
  return await Promise.all(configuration.policy.map(async (table, index): Promise<GroupPolicy> => {
    if (table.group === undefined) return { ...table, groupId: null }
    const wrong = (what: string): GroupPolicy => {
      problems.push(problem(['policy', index, 'group'], what))
      return { ...table, groupId: null }
    }
    try {
      const groupId = await groupIdOf(table.group)
      return groupId === null ? wrong(`there is no group ${table.group}`) : { ...table, groupId }
    } catch (error) {
      return wrong(`the group ${table.group} could not be looked up: ${messageOf(error)}`)
    }
  }))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
