// Makes the socket (on Windows the pipe) that clients connect to, and hands over each connection. Under the socket's name there is
// never anything but a socket that listens and has its final permissions: it is bound under a neighbouring name and renamed. A dead socket
// is replaced, a live one never; of two daemons that start at once the lock lets one through. A socket that a supervisor holds is used
// as it is, and not removed. Who is calling is not decided here (`identity.ts`).
import { chmodSync, lstatSync, renameSync, unlinkSync, type Stats } from 'node:fs'
import net from 'node:net'
import { basename, dirname, join } from 'node:path'
import { prepareFolder } from './socket-folder.ts'
import { holdLock } from './socket-lock.ts'

export interface ListenOptions {
  /** Absolute, or a pipe's name on Windows. */
  readonly path: string
  /** system: anybody may connect, since the kernel says who it is. user: only the user himself. */
  readonly mode: 'system' | 'user'
  /** A listening socket that was passed to this process. */
  readonly activatedFd?: number | null
  /** Takes each connection, half-open allowed: a client that has sent its last call may end its side and still gets its answers. Whoever
   * takes the connection must end it, also after `end`, and must listen for `error`. */
  readonly onConnection: (socket: net.Socket) => void
  /** A connection could not be accepted, for want of descriptors for example. Listening goes on. */
  readonly onError?: (error: Error) => void
}

export interface Listener {
  readonly path: string
  /** Accepts nothing more and removes the socket if it is still ours. Connections go on. May be called twice. */
  close(): Promise<void>
}

/** Something answers on the socket already, or is about to. */
export class AlreadyRunning extends Error {
  readonly code = 'already-running'

  constructor(path: string) {
    super(`another daemon is running on ${path}`)
    this.name = 'AlreadyRunning'
  }
}

/** `sun_path` less its terminating zero: 108 bytes on Linux, 104 elsewhere. */
const longestPathBytes = process.platform === 'linux' ? 107 : 103

/** Throws `AlreadyRunning`, or an error that says what is in the way. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { path, activatedFd = null } = options
  if (activatedFd !== null) return listenOn(options, { fd: activatedFd }, () => {})
  if (process.platform === 'win32') return listenOn(options, { path }, () => {})
  if (Buffer.byteLength(path) > longestPathBytes) {
    throw new Error(`the path of the socket is longer than the ${longestPathBytes} bytes that the system allows: ${path}`)
  }
  prepareFolder(dirname(path), options.mode === 'system' ? 0o755 : 0o700)
  const lock = holdLock(`${path}.lock`)
  if (!lock) throw new AlreadyRunning(path)
  try {
    await refuseOccupied(path)
    return await listenBehindRename(options, lock.release)
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Only while the lock is held: then nobody else uses the neighbouring name either. */
async function listenBehindRename(options: ListenOptions, release: () => void): Promise<Listener> {
  const { path, mode } = options
  const neighbour = neighbourOf(path)
  removeSocket(neighbour, () => true)
  let bound: Stats | null = null
  // Of two sockets with the same name, only the one with our inode is ours to remove.
  const remove = (): void => {
    removeSocket(path, (found) => found.ino === bound?.ino && found.dev === bound.dev)
    release()
  }
  // Nobody but ourselves may connect before the permissions are final.
  const umask = process.umask(0o177)
  let listening: Promise<Listener>
  try {
    listening = listenOn(options, { path: neighbour }, remove)
  } finally {
    process.umask(umask)
  }
  const listener = await listening
  try {
    chmodSync(neighbour, mode === 'system' ? 0o666 : 0o600)
    bound = lstatSync(neighbour)
    renameSync(neighbour, path)
    return listener
  } catch (error) {
    await listener.close()
    throw error
  }
}

type Place = { readonly path: string } | { readonly fd: number }

/** Binds before it returns its promise, so that a umask around the call holds. */
function listenOn(options: ListenOptions, where: Place, remove: () => void): Promise<Listener> {
  const server = net.createServer({ allowHalfOpen: true }, options.onConnection)
  let isClosed = false
  const listener: Listener = {
    path: options.path,
    async close() {
      if (isClosed) return
      isClosed = true
      // The descriptor is closed at once; what the callback would wait for is the end of every connection.
      server.close()
      remove()
    },
  }
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      // A pipe's name is taken by whoever made it first; a neighbour's can only be in the way.
      reject(error.code === 'EADDRINUSE' && process.platform === 'win32' ? new AlreadyRunning(options.path) : error)
    })
    server.listen(where, () => {
      server.removeAllListeners('error')
      server.on('error', options.onError ?? ((error) => { throw error }))
      resolve(listener)
    })
  })
}

/** As long as the name itself, so that a path which is just short enough stays so. */
function neighbourOf(path: string): string {
  const letters = [...basename(path)]
  const last = letters.pop() === '~' ? '^' : '~'
  return join(dirname(path), `${letters.join('')}${last}`)
}

async function refuseOccupied(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found) return
  if (!found.isSocket()) throw new Error(`${path} is there already and is not a socket`)
  if (await answers(path)) throw new AlreadyRunning(path)
}

/** A socket nobody listens on refuses; one that is busy says so (EAGAIN), and is alive. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = net.connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false)
      else if (error.code === 'EAGAIN') resolve(true)
      else reject(error)
    })
  })
}

function removeSocket(path: string, isOurs: (found: Stats) => boolean): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found?.isSocket() && isOurs(found)) unlinkSync(path)
}
