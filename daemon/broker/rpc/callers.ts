// Who a connection's other end is to us: from the kernel's word and the user database, never from a message.
import { Refusal } from '../../../protocol/refusals.ts'
import type { Caller } from '../../core/access.ts'
import { systemUidMaximum } from '../workers/account-files.ts'
import { accountOf, groupIdsOf, memberOf } from '../workers/account.ts'
import type { Identity } from './peer-identity.ts'

export interface CallersOptions {
  readonly mode: 'system' | 'user'
  readonly adminGroups: () => readonly string[]
  /** The daemon's own uid, `null` on Windows. */
  readonly ownUid: number | null
}

/** @throws Refusal `access-denied` for somebody whom this daemon does not serve */
export async function callerOf(identity: Identity, options: CallersOptions): Promise<Caller> {
  const { uid } = identity
  if (options.mode === 'user') {
    if (options.ownUid !== null && uid !== options.ownUid && uid !== 0) throw new Refusal('access-denied')
    const isRoot = options.ownUid !== null && uid === 0
    return { ...await personOf(identity), role: isRoot ? 'admin' : 'user', isExempt: isRoot || isService(uid) }
  }
  const isAdmin = uid === 0 || (await memberOf([identity.gid, ...identity.groups], options.adminGroups()))
  return { ...await personOf(identity), role: isAdmin ? 'admin' : 'user', isExempt: isAdmin || isService(uid) }
}

async function personOf({ uid, id, gid, groups }: Identity): Promise<Pick<Caller, 'id' | 'name' | 'groupIds' | 'connectionGroupIds' | 'home'>> {
  const account = await accountOf(uid)
  const connectionGroupIds = [gid, ...groups]
  const groupIds = [...new Set([...connectionGroupIds, ...await groupIdsOf(uid)])]
  return { id, name: account?.name ?? id, groupIds, connectionGroupIds, home: account?.home ?? '/' }
}

function isService(uid: number): boolean {
  return uid >= 0 && uid <= systemUidMaximum()
}
