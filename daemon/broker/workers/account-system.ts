// The system's user and group databases, asked through the C library (getpwuid_r(3), getgrnam_r(3)). The calls run on libuv's pool,
// and grow their buffer as they say. The structure of macOS is written from its headers and NOT RUN there yet; on Windows there is no
// such call, and the accounts of callers will have to come from their tokens.
import { errno, koffi, libc, systemError } from '../../libc.ts'
import type { Account } from './account-record.ts'

const firstBufferBytes = 4096
/** A group may have tens of thousands of members, and all of their names go into the buffer. */
const largestBufferBytes = 16 * 1024 * 1024

interface PasswordEntry { name: string; uid: number; gid: number; home: string; shell: string | null }
interface GroupEntry { gid: number }

/** What koffi makes of a C function: `entry` and `found` are filled in. Called without waiting, the last argument hears the result. */
interface Lookup<Key, Entry> {
  async(
    key: Key, entry: Partial<Entry>, buffer: Uint8Array, bytes: number, found: unknown[],
    done: (error: Error | null, result: number) => void,
  ): void
}

/** As many as Linux gives to a process, setgroups(2). */
const mostGroups = 65_536

interface GroupList {
  async(name: string, gid: number, groups: Uint32Array, count: Int32Array, done: (error: Error | null, result: number) => void): void
}

let getGroups: GroupList | null = null
let getPassword: Lookup<number, PasswordEntry> | null = null
let getGroup: Lookup<string, GroupEntry> | null = null

export async function accountFromSystem(uid: number, firstBytes = firstBufferBytes): Promise<Account | null> {
  getPassword ??= declareGetPassword()
  const entry = await lookUp('getpwuid_r', getPassword, uid, firstBytes)
  if (!entry) return null
  return { uid: entry.uid, gid: entry.gid, name: entry.name, home: entry.home, ...(entry.shell ? { shell: entry.shell } : {}) }
}

export async function groupIdFromSystem(name: string, firstBytes = firstBufferBytes): Promise<number | null> {
  getGroup ??= declareGetGroup()
  const entry = await lookUp('getgrnam_r', getGroup, name, firstBytes)
  return entry ? entry.gid : null
}

/** getgrouplist(3). */
export async function groupIdsFromSystem({ name, gid }: Account): Promise<readonly number[]> {
  getGroups ??= libc().func('int getgrouplist(const char *user, uint32_t group, void *groups, void *count)') as GroupList
  const list = getGroups
  for (let room = 64; room <= mostGroups; room *= 4) {
    const [groups, count] = [new Uint32Array(room), new Int32Array([room])]
    const isAll = await new Promise<boolean>((resolve, reject) => {
      list.async(name, gid, groups, count, (error, result) => error ? reject(error) : resolve(result >= 0))
    })
    if (isAll) return [...groups.subarray(0, count[0])]
  }
  throw new Error('a user has more groups than a process can')
}

async function lookUp<Key, Entry extends object>(
  call: string, lookup: Lookup<Key, Entry>, key: Key, firstBytes: number,
): Promise<Entry | null> {
  for (let bytes = firstBytes; ; bytes *= 4) {
    const entry: Partial<Entry> = {}
    const found: unknown[] = [null]
    const buffer = Buffer.alloc(bytes)
    const number = await new Promise<number>((resolve, reject) => {
      lookup.async(key, entry, buffer, bytes, found, (error, result) => error ? reject(error) : resolve(result))
    })
    if (number === 0) return found[0] === null ? null : entry as Entry
    if (errno.isNoSuchEntry(number)) return null
    if (errno.isInterrupted(number)) bytes /= 4
    else if (!errno.isRange(number) || bytes >= largestBufferBytes) throw systemError(call, number)
  }
}

function declareGetPassword(): Lookup<number, PasswordEntry> {
  const extra = process.platform === 'darwin'
  const password = koffi().struct({
    name: 'str',
    password: 'void *',
    uid: 'uint32_t',
    gid: 'uint32_t',
    ...(extra ? { change: 'long', class: 'void *' } : {}),
    comment: 'void *',
    home: 'str',
    shell: 'str',
    ...(extra ? { expire: 'long' } : {}),
  })
  return declare('getpwuid_r', 'uint32_t', password)
}

function declareGetGroup(): Lookup<string, GroupEntry> {
  return declare('getgrnam_r', 'str', koffi().struct({ name: 'void *', password: 'void *', gid: 'uint32_t', members: 'void *' }))
}

function declare<Key, Entry>(name: string, key: string, entry: ReturnType<ReturnType<typeof koffi>['struct']>): Lookup<Key, Entry> {
  const { out, pointer } = koffi()
  return libc().func(name, 'int', [key, out(pointer(entry)), 'void *', 'size_t', out(pointer('void *'))]) as Lookup<Key, Entry>
}
