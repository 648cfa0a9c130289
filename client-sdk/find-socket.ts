// Finds the daemon's socket and opens it: the one that was named, else the user's, else the system's (contract
// §1). A socket that we find by ourselves is used only where nobody else could have put it: its folder must be
// ours or root's, and no one else may write there. A socket that the caller named is his own choice.
import { lstat } from 'node:fs/promises'
import { connect as connectSocket, type Socket } from 'node:net'
import { homedir, tmpdir, userInfo } from 'node:os'
import { dirname } from 'node:path'
import { socketCandidates, type Surroundings } from '../protocol/address.ts'
import { Refusal } from '../protocol/refusals.ts'

export interface OpenedSocket {
  readonly path: string
  readonly socket: Socket
}

/** What `protocol/address.ts` needs to know of this machine. */
export function surroundings(environment: Readonly<Record<string, string | undefined>> = process.env): Surroundings {
  return {
    platform: process.platform,
    environment,
    uid: process.getuid?.() ?? null,
    userName: environment['USERNAME'] ?? accountName(),
    home: environment['HOME'] ?? homedir(),
    temporaryFolder: tmpdir(),
  }
}

/** Opens the named socket, or the first of the usual ones that answers. Rejects with `no-daemon`. */
export async function findSocket(named?: string, environment: Readonly<Record<string, string | undefined>> = process.env): Promise<OpenedSocket> {
  const at = surroundings(environment)
  const chosen = named ?? (at.environment['BACKHAUL_SOCKET'] || undefined)
  const paths = chosen === undefined ? socketCandidates(at) : [chosen]
  const reasons: string[] = []
  for (const path of paths) {
    try {
      if (chosen === undefined) await checkFolder(path, at)
      return { path, socket: await openSocket(path) }
    } catch (error) {
      reasons.push(`${path}: ${reasonOf(error)}`)
    }
  }
  throw new Refusal('no-daemon', { sockets: paths }, `No daemon answers (${reasons.join('; ')}).`)
}

/** One attempt; rejects with `no-daemon` and keeps the reason as its cause. */
export async function openKnownSocket(path: string): Promise<OpenedSocket> {
  try {
    return { path, socket: await openSocket(path) }
  } catch (error) {
    const refusal = new Refusal('no-daemon', { sockets: [path] }, `No daemon answers (${path}: ${reasonOf(error)}).`)
    refusal.cause = error
    throw refusal
  }
}

function openSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

/** In a folder that others can write, or that is somebody else's, the thing that answers need not be the daemon. */
export async function checkFolder(path: string, at: Surroundings): Promise<void> {
  if (at.platform === 'win32') return
  const folder = dirname(path)
  const found = await lstat(folder)
  if (!found.isDirectory()) throw new Error(`${folder} is not a folder, so it is not trusted`)
  if (found.uid !== at.uid && found.uid !== 0) throw new Error(`${folder} belongs to uid ${found.uid}, so it is not trusted`)
  if ((found.mode & 0o022) !== 0) throw new Error(`others may write into ${folder}, so it is not trusted`)
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT') return 'there is none'
  if (code === 'ECONNREFUSED') return 'nobody listens'
  if (code === 'EACCES' || code === 'EPERM') return 'no permission'
  return code || (error instanceof Error ? error.message : String(error))
}

function accountName(): string {
  try {
    return userInfo().username
  } catch {
    // A uid without an account has no name, and needs none: outside Windows the path is made of the uid.
    return ''
  }
}
