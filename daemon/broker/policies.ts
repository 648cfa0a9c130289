// The group policy of the configuration: which table applies to a caller, what it changes for him, and what it refuses. Groups were
// looked up when the configuration was read, since a call cannot wait for a directory server. Admins are bound by no policy.
import { dirname } from 'node:path'
import { Refusal } from '../../protocol/refusals.ts'
import type { Caller } from '../core/access.ts'
import type { Limits } from '../core/limits.ts'
import { firstFor, isFolderAllowed, isRemoteNameAllowed, type OwnerRules } from '../link/policy-rules.ts'

/** A table of the configuration, `[[policy]]`. */
export interface PolicyTable {
  /** Absent: everybody for whom no other table is. */
  readonly group?: string | undefined
  readonly jobsPerUser?: number | undefined
  readonly filesPerJob?: number | undefined
  readonly rangesPerFile?: number | undefined
  readonly exempt?: boolean | undefined
  readonly notifyCommands: boolean
  readonly localFolders?: readonly string[] | undefined
  readonly remoteNames?: readonly string[] | undefined
}

/** The same with the number of its group, which was found; `null` where it names none. */
export interface GroupPolicy extends PolicyTable {
  readonly groupId: number | null
}

interface Policy extends OwnerRules {
  /** Its place in the configuration, counted from 1. */
  readonly number: number
  readonly table: GroupPolicy
}

export interface PoliciesOptions {
  readonly tables: () => readonly GroupPolicy[]
  readonly limits: () => Limits
}

/** What a call asks for, as far as a policy may refuse it. */
export interface Asked {
  readonly files?: readonly { readonly remoteName: string; readonly localName?: string }[]
  readonly hasCommand?: boolean
}

export class Policies {
  readonly #options: PoliciesOptions

  constructor(options: PoliciesOptions) {
    this.#options = options
  }

  /** For the workers, which know their groups themselves. */
  rules(): OwnerRules[] {
    return this.#all().map(({ groupId, localFolders, remoteNames }) => ({ groupId, localFolders, remoteNames }))
  }

  /** The caller as the policy has him: bound by limits or not. */
  boundCaller(caller: Caller): Caller {
    const policy = this.#of(caller)
    const exempt = policy?.table.exempt
    if (!policy || exempt === undefined) return caller
    // A grant is for the group that the connection has, not for one that only the account has.
    const isGranted = policy.groupId === null || (caller.connectionGroupIds ?? []).includes(policy.groupId)
    return exempt && !isGranted ? caller : { ...caller, isExempt: exempt }
  }

  limitsOf(caller: Caller): Limits {
    const limits = this.#options.limits()
    const table = this.#of(caller)?.table
    if (!table) return limits
    const { jobsPerUser = limits.jobsPerUser, filesPerJob = limits.filesPerJob, rangesPerFile = limits.rangesPerFile } = table
    return { ...limits, jobsPerUser, filesPerJob, rangesPerFile }
  }

  /** @throws Refusal `access-denied` with `policy` and `rule` */
  check(caller: Caller, { files = [], hasCommand = false }: Asked): void {
    const policy = this.#of(caller)
    if (!policy) return
    if (hasCommand && !policy.table.notifyCommands) throw refusal(policy, 'notifyCommands', {}, 'notify commands are not allowed')
    files.forEach(({ remoteName, localName }, at) => {
      if (!isRemoteNameAllowed(policy.remoteNames, remoteName)) throw refusal(policy, 'remoteNames', { index: at }, 'this remote name is not allowed')
      if (localName !== undefined && !isFolderAllowed(policy.localFolders, dirname(localName), caller.home ?? '/')) {
        throw refusal(policy, 'localFolders', { index: at }, 'this local folder is not allowed')
      }
    })
  }

  /** What applies to the caller, and why. */
  describe(caller: Caller): { policy: number | null; why: string; exempt: boolean; limits: Limits; notifyCommands: boolean; localFolders: string[] | null; remoteNames: string[] | null } {
    const policy = this.#of(caller)
    return {
      policy: policy?.number ?? null, why: whyOf(caller, policy), exempt: this.boundCaller(caller).isExempt, limits: this.limitsOf(caller),
      notifyCommands: policy?.table.notifyCommands ?? true,
      localFolders: policy?.localFolders ? [...policy.localFolders] : null, remoteNames: policy?.remoteNames ? [...policy.remoteNames] : null,
    }
  }

  #all(): Policy[] {
    return this.#options.tables().map((table, at) => (
      { number: at + 1, table, groupId: table.groupId, localFolders: table.localFolders ?? null, remoteNames: table.remoteNames ?? null }))
  }

  #of(caller: Caller): Policy | null {
    return caller.role === 'admin' ? null : firstFor(this.#all(), caller.groupIds ?? [])
  }
}

function whyOf({ role }: Caller, policy: Policy | null): string {
  if (role === 'admin') return 'Admins are bound by no policy.'
  if (!policy) return 'No policy is for this user.'
  return policy.table.group === undefined ? 'The first policy for everybody.' : `The first policy for a group of this user: ${policy.table.group}.`
}

function refusal({ number, table }: Policy, rule: string, more: object, sentence: string): Refusal {
  const whose = table.group === undefined ? 'everybody' : `the group ${table.group}`
  return new Refusal('access-denied', { policy: number, group: table.group ?? null, rule, ...more }, `By policy ${number}, for ${whose}, ${sentence} (${rule}).`)
}
