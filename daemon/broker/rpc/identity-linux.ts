// Linux: SO_PEERCRED and SO_PEERGROUPS (socket(7), unix(7)). Refuses the uid that stands for "nobody here": a caller from another
// user namespace. Every length and errno is checked; an option number that means something else on an odd architecture fails by length.
import { readFileSync } from 'node:fs'
import { errno, koffi, libc, systemError } from '../../libc.ts'
import type { Identity } from './peer-identity.ts'

const socketLevel = 1
const peerCredentials = 17
const peerGroups = 59
const noUid = 0xffff_ffff

const getSocketOptionPrototype = 'int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ uint32_t *length)'
type GetSocketOption = (fd: number, level: number, option: number, value: Uint8Array, length: [number]) => number
let getSocketOption: GetSocketOption | null = null
let unmapped: ReadonlySet<number> | null = null

export function linuxPeer(fd: number): Identity {
  const credentials = Buffer.alloc(12)
  const length = readOption(fd, peerCredentials, credentials)
  if (length !== 12) throw new Error(`SO_PEERCRED gave ${length} bytes instead of 12`)
  const pid = credentials.readInt32LE(0)
  const uid = credentials.readUInt32LE(4)
  const gid = credentials.readUInt32LE(8)
  unmapped ??= readUnmappedUids()
  if (unmapped.has(uid)) throw new Error(`the caller's uid ${uid} stands for a user of another user namespace`)
  return { id: String(uid), uid, gid, pid, groups: [...new Set([gid, ...groupsOf(fd)])] }
}

function groupsOf(fd: number): readonly number[] {
  // 64 groups are plenty for nearly everybody; the kernel says how much room it wants when they are more.
  let buffer = Buffer.alloc(64 * 4)
  let length = readOption(fd, peerGroups, buffer)
  if (length > buffer.length) {
    buffer = Buffer.alloc(length)
    length = readOption(fd, peerGroups, buffer)
  }
  if (length > buffer.length || length % 4 !== 0) throw new Error(`SO_PEERGROUPS gave ${length} bytes`)
  return Array.from({ length: length / 4 }, (_, index) => buffer.readUInt32LE(index * 4))
}

/** How many bytes there are. More than the room given means that nothing was read. */
function readOption(fd: number, option: number, value: Buffer): number {
  getSocketOption ??= libc().func(getSocketOptionPrototype) as GetSocketOption
  const length: [number] = [value.length]
  if (getSocketOption(fd, socketLevel, option, value, length) === 0) return length[0]
  const number = koffi().errno()
  if (errno.isRange(number) && length[0] > value.length) return length[0]
  throw systemError('getsockopt', number)
}

/**
 * The uids that do not name a user. -1 always; and, where this namespace does not map every uid, the overflow uid, as which the
 * kernel shows everybody who has none here. In the first namespace every uid is mapped, and 65534 is the ordinary user `nobody`.
 */
function readUnmappedUids(): ReadonlySet<number> {
  const isWholeRange = /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'))
  if (isWholeRange) return new Set([noUid])
  return new Set([noUid, Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'))])
}
