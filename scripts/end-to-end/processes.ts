// What Linux says about the processes of the run: whose they are and what they have open.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Those of a user that have not ended. */
export function processesOf(uid: number): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => pid > 0 && new RegExp(`^Uid:\\s+${uid}\\s`, 'm').test(statusOf(pid)) && !/^State:\s+Z/m.test(statusOf(pid)))
}

export function statusOf(pid: number): string {
  return unlessGone(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? ''
}

/** What its descriptors lead to. */
export function opened(pid: number): string[] {
  const fds = unlessGone(() => readdirSync(`/proc/${pid}/fd`)) ?? []
  return fds.flatMap((fd) => unlessGone(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [])
}

/** What is read of a process, `null` where it has ended meanwhile. */
function unlessGone<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH', 'EACCES'].includes(String(error.code))) return null
    throw error
  }
}
