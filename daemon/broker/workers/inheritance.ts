// Keeps what the broker itself inherited from whoever started it out of its workers: Node marks only the first few descriptors as
// close-on-exec. What Node opens later is marked from birth, so once is enough. Must run before the first worker is started.
import { readdirSync } from 'node:fs'
import { errno, koffi, libc, systemError } from '../../libc.ts'

const setDescriptorFlags = 2
const closeOnExec = 1

let isDone = false

export function keepDescriptorsToOurselves(): void {
  if (isDone || process.platform === 'win32') return
  const control = libc().func('int fcntl(int fd, int command, ...)') as (fd: number, command: number, type: string, value: number) => number
  for (const name of readdirSync(process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd')) {
    const fd = Number(name)
    if (fd <= 2 || control(fd, setDescriptorFlags, 'int', closeOnExec) === 0) continue
    // The one through which the folder was read is gone by now.
    const number = koffi().errno()
    if (!errno.isBadDescriptor(number)) throw systemError('fcntl', number)
  }
  isDone = true
}
