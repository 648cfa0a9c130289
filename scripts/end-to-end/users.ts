// Ordinary users made for the run and removed after it, and calls in their name: as root this process takes their ids for
// the moment of connecting, which is what the kernel tells the daemon.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

export interface Answer {
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly data: { readonly kind: string } }
}

export function addUser(name: string): User {
  execFileSync('useradd', ['--create-home', '--shell', '/bin/sh', name])
  const [, , uid, gid, , home = ''] = execFileSync('getent', ['passwd', name], { encoding: 'utf8' }).split(':')
  return { name, uid: Number(uid), gid: Number(gid), home }
}

export function removeUser({ name, uid }: User): void {
  execFileSync('userdel', ['--remove', name], { stdio: 'ignore' })
  // Where a daemon of his own had its socket.
  rmSync(join(tmpdir(), `backhaul-${uid}`), { recursive: true, force: true })
}

/** What a command as this user is started with: nothing of root's groups is left. */
export function asUser({ uid, gid }: User, command: readonly string[]): [string, string[]] {
  return ['setpriv', ['--reuid', String(uid), '--regid', String(gid), '--init-groups', '--', ...command]]
}

/** One call over a connection of its own; `null` is root. */
export async function ask(socketPath: string, user: User | null, method: string, params: object): Promise<Answer> {
  const socket = connectAs(socketPath, user)
  try {
    return await new Promise<Answer>((resolve, reject) => {
      socket.on('error', reject)
      socket.on('close', () => reject(new Error('the connection closed without an answer')))
      createInterface({ input: socket }).once('line', (line) => resolve(JSON.parse(line) as Answer)).on('error', reject)
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`)
    })
  } finally {
    socket.destroy()
  }
}

/** The result; a refusal is an error. */
export async function call<Result>(socketPath: string, user: User | null, method: string, params: object): Promise<Result> {
  const { result, error } = await ask(socketPath, user, method, params)
  if (error) throw new Error(`${method} was refused: ${JSON.stringify(error)}`)
  return result as Result
}

function connectAs(path: string, user: User | null): net.Socket {
  if (!user) return net.connect(path)
  const groups = process.getgroups?.() ?? []
  process.setgroups?.([user.gid])
  process.setegid?.(user.gid)
  process.seteuid?.(user.uid)
  try {
    // connect(2) has happened when this returns.
    return net.connect(path)
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
    process.setgroups?.(groups)
  }
}
