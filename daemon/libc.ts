// The C library of the system, through koffi: the few calls that Node has no name for (peer credentials, accounts, locks,
// systemd's datagrams). Loaded at the first call (about 5 ms, 2.6 MB), never at import. It must not offer a call that takes a path which
// a client named. Everybody who needs a call declares it beside its use; where koffi cannot be loaded, `libc()` throws.
import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'

type Koffi = typeof import('koffi')

let koffiModule: Koffi | null = null
let library: ReturnType<Koffi['load']> | null = null

export function koffi(): Koffi {
  koffiModule ??= createRequire(import.meta.url)('koffi') as Koffi
  return koffiModule
}

/** What this process is linked with, so that glibc, musl and macOS need no names of libraries. */
export function libc(): ReturnType<Koffi['load']> {
  library ??= koffi().load(null)
  return library
}

export const errno = {
  isRange: (number: number): boolean => number === koffi().os.errno['ERANGE'],
  isWouldBlock: (number: number): boolean => number === koffi().os.errno['EWOULDBLOCK'] || number === koffi().os.errno['EAGAIN'],
  isInterrupted: (number: number): boolean => number === koffi().os.errno['EINTR'],
  isBadDescriptor: (number: number): boolean => number === koffi().os.errno['EBADF'],
  /** The kernel has no such call, forbids it, or does not do it with such a thing. */
  isRefused: (number: number): boolean => ['ENOSYS', 'EPERM', 'EINVAL'].some((name) => number === koffi().os.errno[name]),
  isFull: (number: number): boolean => number === koffi().os.errno['ENOSPC'] || number === koffi().os.errno['EDQUOT'],
  isNoSuchEntry: (number: number): boolean => number === koffi().os.errno['ENOENT'] || number === koffi().os.errno['ESRCH'],
}

/** An error like those of Node itself, with `code`. `number` is what the call left in errno, or returned. */
export function systemError(call: string, number: number = koffi().errno()): NodeJS.ErrnoException {
  const code = number > 0 ? getSystemErrorName(-number) : 'UNKNOWN'
  return Object.assign(new Error(`${call}: ${code}`), { code, errno: number, syscall: call })
}
