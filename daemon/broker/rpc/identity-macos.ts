// macOS: LOCAL_PEERCRED (struct xucred: uid and up to 16 groups, the first the primary one) and LOCAL_PEERPID, from <sys/un.h>.
// Written from the headers, NOT RUN on a Mac yet. Every length, version and errno is checked, so that a mistake here refuses
// connections and lets nobody in.
import { libc, systemError } from '../../libc.ts'
import type { Identity } from './peer-identity.ts'

const localLevel = 0
const localPeerCredentials = 1
const localPeerPid = 2
const credentialsVersion = 0
/** u_int version; uid_t uid; short ngroups; (2 bytes of padding) gid_t groups[16] */
const credentialsBytes = 76

const getSocketOptionPrototype = 'int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ uint32_t *length)'
type GetSocketOption = (fd: number, level: number, option: number, value: Uint8Array, length: [number]) => number
let getSocketOption: GetSocketOption | null = null

export function macosPeer(fd: number): Identity {
  const credentials = readOption(fd, localPeerCredentials, credentialsBytes)
  if (credentials.readUInt32LE(0) !== credentialsVersion) throw new Error('LOCAL_PEERCRED has an unknown version')
  const uid = credentials.readUInt32LE(4)
  const count = credentials.readInt16LE(8)
  if (uid === 0xffff_ffff || count < 1 || count > 16) throw new Error('LOCAL_PEERCRED names no user')
  const groups = Array.from({ length: count }, (_, index) => credentials.readUInt32LE(12 + index * 4))
  const pid = readOption(fd, localPeerPid, 4).readInt32LE(0)
  return { id: String(uid), uid, gid: credentials.readUInt32LE(12), pid, groups }
}

function readOption(fd: number, option: number, bytes: number): Buffer {
  getSocketOption ??= libc().func(getSocketOptionPrototype) as GetSocketOption
  const value = Buffer.alloc(bytes)
  const length: [number] = [bytes]
  if (getSocketOption(fd, localLevel, option, value, length) !== 0) throw systemError('getsockopt')
  if (length[0] !== bytes) throw new Error(`getsockopt gave ${length[0]} bytes instead of ${bytes}`)
  return value
}
