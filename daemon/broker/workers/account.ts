// uid → name, group, home, as the system's own databases have it (NSS: files, LDAP, …), through getpwuid_r and getgrnam_r on libuv's
// pool, since a directory server may be slow. Where koffi cannot be loaded, from /etc/passwd and /etc/group. Found accounts are
// believed for a minute; one that is not there is asked for again each time. It decides nothing about what an account may do.
import { accountFromFile, groupIdFromFile } from './account-files.ts'
import { accountFromSystem, groupIdFromSystem, groupIdsFromSystem } from './account-system.ts'
import type { Account } from './account-record.ts'
import { libc } from '../../libc.ts'

const rememberedMs = 60_000
const rememberedAtMost = 4096
const accounts = new Map<number, { readonly account: Account; readonly until: number }>()
const groupsOfAccounts = new Map<number, { readonly gids: readonly number[]; readonly until: number }>()
const groupIds = new Map<string, { readonly gid: number; readonly until: number }>()

/** `null`: there is no such user. Throws when the databases could not be asked, which is not the same. */
export async function accountOf(uid: number): Promise<Account | null> {
  const known = accounts.get(uid)
  if (known && known.until > performance.now()) return known.account
  const account = isSystemReachable() ? await accountFromSystem(uid) : accountFromFile(uid)
  accounts.delete(uid)
  if (account) remember(accounts, uid, { account, until: performance.now() + rememberedMs })
  return account
}

export async function groupIdOf(name: string): Promise<number | null> {
  const known = groupIds.get(name)
  if (known && known.until > performance.now()) return known.gid
  const gid = isSystemReachable() ? await groupIdFromSystem(name) : groupIdFromFile(name)
  groupIds.delete(name)
  if (gid !== null) remember(groupIds, name, { gid, until: performance.now() + rememberedMs })
  return gid
}

/** All groups of a user, the primary one first; none for one who has no account (any more). */
export async function groupIdsOf(uid: number): Promise<readonly number[]> {
  const known = groupsOfAccounts.get(uid)
  if (known && known.until > performance.now()) return known.gids
  const account = await accountOf(uid)
  if (!account) return []
  const gids = isSystemReachable() ? await groupIdsFromSystem(account) : [account.gid]
  groupsOfAccounts.delete(uid)
  remember(groupsOfAccounts, uid, { gids, until: performance.now() + rememberedMs })
  return gids
}

/** Is one of these groups among those named? A name that no group has is passed over. */
export async function memberOf(gids: readonly number[], groupNames: readonly string[]): Promise<boolean> {
  for (const name of groupNames) {
    const gid = await groupIdOf(name)
    if (gid !== null && gids.includes(gid)) return true
  }
  return false
}

function isSystemReachable(): boolean {
  try {
    libc()
    return true
  } catch (error) {
    // koffi has no build for this system. Its files may still be read; callers cannot be identified there anyway.
    if (error instanceof Error) return false
    throw error
  }
}

function remember<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  if (map.size >= rememberedAtMost) map.clear()
  map.set(key, value)
}
