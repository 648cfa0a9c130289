// The rules of the policy that apply to this process's owner, chosen by his groups. See `link/policy-rules.ts` for what they are worth.
import { readlinkSync } from 'node:fs'
import { failure } from '../../protocol/failures.ts'
import type { TransferOrder } from '../link/messages.ts'
import { firstFor, isFolderAllowed, isRemoteNameAllowed, type OwnerRules } from '../link/policy-rules.ts'
import { hasOpenFolderPaths } from './files/child-path.ts'
import { raise } from './failure-from.ts'
import type { Folder } from './files/folders.ts'

/** Of the tables in their order, the first for one of our groups, which a process of ours never changes. */
export function rulesOfOwner(tables: readonly OwnerRules[]): OwnerRules | null {
  return firstFor(tables, [process.getegid?.() ?? -1, ...process.getgroups?.() ?? []])
}

/** The order with the rules in it. */
export function underRules(order: TransferOrder, rules: OwnerRules | null): TransferOrder {
  return rules ? { ...order, localFolders: rules.localFolders, http: { ...order.http, remoteNames: rules.remoteNames } } : order
}

/** Throws `blocked-by-policy` where the folder really lies elsewhere than its name says, or the remote name is not allowed any more. */
export function refuseByRules({ localFolders = null, remoteName, http }: TransferOrder, folder: Folder): void {
  if (!isRemoteNameAllowed(http.remoteNames ?? null, remoteName)) raise(failure('blocked-by-policy', 'The remote name is not allowed by the policy of the owner.'))
  if (localFolders === null) return
  const real = hasOpenFolderPaths ? readlinkSync(`/proc/self/fd/${folder.fd}`) : folder.path
  if (!isFolderAllowed(localFolders, real, process.env['HOME'] ?? '/')) raise(failure('blocked-by-policy', 'The folder of the local name is not allowed by the policy of the owner.'))
}
