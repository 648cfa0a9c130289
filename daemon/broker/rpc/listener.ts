// Makes the socket (on Windows the pipe) that clients connect to, and hands over each connection. Of two daemons that start at once the
// lock lets one through. A socket that a supervisor holds is used as it is, and not removed. Who is calling is not decided here
// (`identity.ts`).
import { serve } from './bound-socket.ts'
import { KeptSocket, type KeptSocketOptions } from './kept-socket.ts'

export { AlreadyRunning } from './already-running.ts'

export interface ListenOptions extends KeptSocketOptions {
  /** A listening socket that was passed to this process. */
  readonly activatedFd?: number | null
}

export interface Listener {
  readonly path: string
  /** Accepts nothing more and removes the socket if it is still ours. Connections go on. May be called twice. */
  close(): Promise<void>
}

/** `sun_path` less its terminating zero: 108 bytes on Linux, 104 elsewhere. */
const longestPathBytes = process.platform === 'linux' ? 107 : 103

/** Throws `AlreadyRunning`, or an error that says what is in the way. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { path, activatedFd = null } = options
  if (activatedFd !== null) return closing(path, await serve(options, { fd: activatedFd }))
  if (process.platform === 'win32') return closing(path, await serve(options, { path }))
  if (Buffer.byteLength(path) > longestPathBytes) {
    throw new Error(`the path of the socket is longer than the ${longestPathBytes} bytes that the system allows: ${path}`)
  }
  return closing(path, await KeptSocket.open(options))
}

/** The descriptor is closed at once; what the callback of `close` would wait for is the end of every connection. */
function closing(path: string, open: { close(): void }): Listener {
  let isClosed = false
  return {
    path,
    async close() {
      if (!isClosed) open.close()
      isClosed = true
    },
  }
}
