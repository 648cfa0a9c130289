// What the broker and the program that supervises it (systemd) say to each other: sd_notify(3), sd_watchdog_enabled(3),
// sd_listen_fds(3). Taking the supervisor removes its variables from the environment, so that no child can speak in our name.
// Without a supervisor everything here does nothing. A message that cannot be sent is told to `onError` and never stops the broker.
import { errno, koffi, libc, systemError } from '../libc.ts'

export interface Supervisor {
  /** Calls are answered from now on. Also ends `reloading()`. */
  ready(status?: string): void
  /** One line for people (`systemctl status`). */
  status(text: string): void
  reloading(): void
  stopping(): void
  /** To be called at least every `watchdogIntervalMs`, and only while the event loop turns. */
  alive(): void
  /** Half of the time after which the supervisor gives up on us; `null`: it does not watch. */
  watchdogIntervalMs(): number | null
  /** The listening socket that the supervisor holds for us, `null`: none. */
  activatedSocketFd(): number | null
}

const firstActivatedFd = 3

export function takeSupervisor(environment: NodeJS.ProcessEnv = process.env, onError: (error: Error) => void = () => {}): Supervisor {
  const address = take(environment, 'NOTIFY_SOCKET')
  const watchdogMicroseconds = positive(take(environment, 'WATCHDOG_USEC'))
  const isWatched = isForUs(take(environment, 'WATCHDOG_PID'), true)
  const count = positive(take(environment, 'LISTEN_FDS')) ?? 0
  const isActivated = isForUs(take(environment, 'LISTEN_PID'), false) && count > 0
  take(environment, 'LISTEN_FDNAMES')
  if (isActivated && count > 1) onError(new Error(`${count} activated sockets were passed; only the first is used`))

  const notify = (...lines: readonly string[]): void => {
    if (address === undefined) return
    try {
      sendDatagram(address, lines.join('\n'))
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)))
    }
  }
  return {
    ready: (status) => notify('READY=1', ...(status === undefined ? [] : [statusLine(status)])),
    status: (text) => notify(statusLine(text)),
    // hrtime is CLOCK_MONOTONIC, the clock that is asked for.
    reloading: () => notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => notify('STOPPING=1'),
    alive: () => notify('WATCHDOG=1'),
    watchdogIntervalMs: () => isWatched && watchdogMicroseconds !== null ? Math.max(1, Math.floor(watchdogMicroseconds / 2000)) : null,
    activatedSocketFd: () => isActivated ? firstActivatedFd : null,
  }
}

function take(environment: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = environment[name]
  delete environment[name]
  return value === '' ? undefined : value
}

function positive(text: string | undefined): number | null {
  const number = text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0
  return number > 0 ? number : null
}

/** The variables may have been meant for the process that started us. */
function isForUs(pid: string | undefined, whenUnsaid: boolean): boolean {
  return pid === undefined ? whenUnsaid : pid === String(process.pid)
}

function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/[\r\n]+/g, ' ')}`
}

const unixFamily = 1
const datagram = 2
const closeOnExec = 0o2000000
const noSignal = 0x4000
/** sun_path of unix(7). */
const addressBytes = 108

/** Node has no datagram sockets of the unix family. Waits, as libsystemd does, in the rare case that the receiver's queue is full. */
function sendDatagram(address: string, text: string): void {
  if (process.platform !== 'linux') throw new Error('NOTIFY_SOCKET is known on Linux only')
  const name = socketName(address)
  const library = libc()
  const fd = library.func('int socket(int family, int type, int protocol)')(unixFamily, datagram | closeOnExec, 0) as number
  if (fd < 0) throw systemError('socket')
  try {
    const send = library.func('long sendto(int fd, const void *bytes, size_t size, int flags, const void *address, uint32_t length)')
    const bytes = Buffer.from(text)
    for (;;) {
      if (send(fd, bytes, bytes.length, noSignal, name, name.length) === bytes.length) return
      const number = koffi().errno()
      if (!errno.isInterrupted(number)) throw systemError('sendto', number)
    }
  } finally {
    library.func('int close(int fd)')(fd)
  }
}

/** A path, or with a leading `@` a name in the abstract space, which begins with a zero and has none at its end. */
function socketName(address: string): Buffer {
  const isAbstract = address.startsWith('@')
  if (!isAbstract && !address.startsWith('/')) throw new Error('NOTIFY_SOCKET is neither a path nor an abstract name')
  const name = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`)
  if (name.length > addressBytes) throw new Error('NOTIFY_SOCKET is too long')
  const family = Buffer.alloc(2)
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1) family.writeUInt16LE(unixFamily)
  else family.writeUInt16BE(unixFamily)
  return Buffer.concat([family, name])
}
