// A socket that listens under its name. Under that name there is never anything but a socket that listens and has its final
// permissions: it is bound under a neighbouring name and renamed. A dead socket is replaced, a live one never.
import { chmodSync, lstatSync, renameSync, unlinkSync, type Stats } from 'node:fs'
import net from 'node:net'
import { basename, dirname, join } from 'node:path'
import { AlreadyRunning } from './already-running.ts'

export interface BindOptions {
  /** Absolute, or a pipe's name on Windows. */
  readonly path: string
  /** system: anybody may connect, since the kernel says who it is. user: only the user himself. */
  readonly mode: 'system' | 'user'
  /** Takes each connection, half-open allowed: a client that has sent its last call may end its side and still gets its answers. Whoever
   * takes the connection must end it, also after `end`, and must listen for `error`. */
  readonly onConnection: (socket: net.Socket) => void
  /** A connection could not be accepted, for want of descriptors for example. Listening goes on. */
  readonly onError?: (error: Error) => void
}

export interface BoundSocket {
  /** The socket is still there under its name. */
  isNamed(): boolean
  /** Accepts nothing more and removes the socket if it is still ours. Connections go on. */
  close(): void
}

/** Only while the lock is held: then nobody else uses the neighbouring name either. */
export async function bindBehindRename(options: BindOptions): Promise<BoundSocket> {
  const { path, mode } = options
  await refuseOccupied(path)
  const neighbour = neighbourOf(path)
  removeSocket(neighbour, () => true)
  // Nobody but ourselves may connect before the permissions are final.
  const umask = process.umask(0o177)
  let listening: Promise<net.Server>
  try {
    listening = serve(options, { path: neighbour })
  } finally {
    process.umask(umask)
  }
  const server = await listening
  try {
    chmodSync(neighbour, mode === 'system' ? 0o666 : 0o600)
    const bound = lstatSync(neighbour)
    renameSync(neighbour, path)
    // Of two sockets with the same name, only the one with our inode is ours.
    const isOurs = (found: Stats): boolean => found.ino === bound.ino && found.dev === bound.dev
    return {
      isNamed() {
        const found = lstatSync(path, { throwIfNoEntry: false })
        return found !== undefined && isOurs(found)
      },
      close() {
        server.close()
        removeSocket(path, isOurs)
      },
    }
  } catch (error) {
    server.close()
    throw error
  }
}

type Place = { readonly path: string } | { readonly fd: number }

/** Binds before it returns its promise, so that a umask around the call holds. */
export function serve({ path, onConnection, onError }: BindOptions, where: Place): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, onConnection)
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      // A pipe's name is taken by whoever made it first; a neighbour's can only be in the way.
      reject(error.code === 'EADDRINUSE' && process.platform === 'win32' ? new AlreadyRunning(path) : error)
    })
    server.listen(where, () => {
      server.removeAllListeners('error')
      server.on('error', onError ?? ((error) => { throw error }))
      resolve(server)
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
