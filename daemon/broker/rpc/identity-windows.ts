// Windows: the SID of the process at the other end of a named pipe. Written from the documentation, NOT RUN on Windows yet. Node shows no
// handle of its own pipes, so as things are `identify` refuses every connection there; a listener that makes its pipes itself and
// gives Node their descriptors (and sets a security descriptor, which Node cannot either) gets an answer from this file.
// The process is opened before the pipe is asked again, so that a pid that was given anew in between is noticed.
import { koffi } from '../../libc.ts'
import type { Identity } from './peer-identity.ts'

const queryLimitedInformation = 0x1000
const tokenQuery = 0x0008
const tokenUser = 1

type Handle = number | bigint

export function windowsPeer(fd: number): Identity {
  const handleOf = koffi().load('ucrtbase.dll').func('intptr_t _get_osfhandle(int fd)') as (fd: number) => Handle
  const pipe = handleOf(fd)
  if (Number(pipe) === -1) throw new Error('the connection has no handle')
  const pid = clientPid(pipe)
  const id = sidOfProcess(pid, () => clientPid(pipe) === pid)
  // Windows has no numbers for users and groups. NaN equals nothing, so that no comparison can let somebody in.
  return { id, uid: Number.NaN, gid: Number.NaN, pid, groups: [] }
}

function clientPid(pipe: Handle): number {
  const ask = koffi().load('kernel32.dll').func('int __stdcall GetNamedPipeClientProcessId(intptr_t pipe, _Out_ uint32_t *pid)') as
    (pipe: Handle, pid: [number]) => number
  const pid: [number] = [0]
  if (!ask(pipe, pid) || pid[0] === 0) throw new Error('GetNamedPipeClientProcessId failed')
  return pid[0]
}

function sidOfProcess(pid: number, isStillThere: () => boolean): string {
  const kernel = koffi().load('kernel32.dll')
  const open = kernel.func('intptr_t __stdcall OpenProcess(uint32_t access, int inherit, uint32_t pid)') as
    (access: number, inherit: number, pid: number) => Handle
  const close = kernel.func('int __stdcall CloseHandle(intptr_t handle)') as (handle: Handle) => number
  const openToken = koffi().load('advapi32.dll').func(
    'int __stdcall OpenProcessToken(intptr_t process, uint32_t access, _Out_ intptr_t *token)',
  ) as (process: Handle, access: number, token: [Handle]) => number
  const process = open(queryLimitedInformation, 0, pid)
  if (Number(process) === 0) throw new Error('OpenProcess failed')
  try {
    if (!isStillThere()) throw new Error('the caller ended while it was being identified')
    const token: [Handle] = [0]
    if (!openToken(process, tokenQuery, token)) throw new Error('OpenProcessToken failed')
    try {
      return sidOfToken(token[0])
    } finally {
      close(token[0])
    }
  } finally {
    close(process)
  }
}

function sidOfToken(token: Handle): string {
  const ask = koffi().load('advapi32.dll').func(
    'int __stdcall GetTokenInformation(intptr_t token, int kind, _Out_ void *value, uint32_t size, _Out_ uint32_t *needed)',
  ) as (token: Handle, kind: number, value: Uint8Array, size: number, needed: [number]) => number
  // TOKEN_USER: a pointer to the SID (and attributes), then the SID itself, at most 68 bytes.
  const value = Buffer.alloc(256)
  const needed: [number] = [0]
  if (!ask(token, tokenUser, value, value.length, needed)) throw new Error('GetTokenInformation failed')
  return sidText(value.subarray(16, needed[0]))
}

/** [MS-DTYP] 2.4.2: revision, count, six bytes of authority (big endian), then the parts (little endian). */
export function sidText(sid: Uint8Array): string {
  const bytes = Buffer.from(sid)
  const count = bytes.length >= 8 ? bytes.readUInt8(1) : 0
  if (count < 1 || count > 15 || bytes.length < 8 + count * 4 || bytes.readUInt8(0) !== 1) throw new Error('not a SID')
  const parts = Array.from({ length: count }, (_, index) => bytes.readUInt32LE(8 + index * 4))
  return ['S', 1, bytes.readUIntBE(2, 6), ...parts].join('-')
}
