// May this caller do this to that job? Decided from what the kernel said about him, in one place. The job of
// another answers exactly like one that does not exist (contract rule 8).
import type { Owner } from '../../protocol/job.ts'
import { Refusal } from '../../protocol/refusals.ts'

export interface Caller {
  /** The uid in decimal, the SID on Windows. */
  readonly id: string
  readonly name: string
  readonly role: 'user' | 'admin'
  /** Bound by no limit: an admin, or a service (a system account). */
  readonly isExempt: boolean
  /**
   * For restrictions: the groups of the connection and those of the account, since a process can drop a group (newgidmap(1))
   * and with it what binds that group. The home folder is for policies too.
   */
  readonly groupIds?: readonly number[]
  /** For grants: the groups that the kernel says the connection has, and no others. */
  readonly connectionGroupIds?: readonly number[]
  readonly home?: string
}

export function mayTouch(caller: Caller, job: { readonly owner: Owner }): boolean {
  return caller.role === 'admin' || job.owner.id === caller.id
}

export function requireAdmin(caller: Caller): void {
  if (caller.role !== 'admin') throw new Refusal('access-denied')
}

/** Whose jobs a list is about: `null` is everybody's. */
export function ownersListed(caller: Caller, asked: string): string | null {
  if (asked === 'me' || asked === caller.id) return caller.id
  requireAdmin(caller)
  return asked === 'all' ? null : asked
}
