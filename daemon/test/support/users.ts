// Users made for one test, with homes in a scratch folder that everybody may enter, and calls made as one of them. Needs root;
// a test says so with `onlyRoot`. The kernel takes a caller's credentials at connect(2), which libuv makes within `net.connect`,
// so the test process is that user for just this call.
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MethodName, ParamsSent, Result } from '../../../protocol/methods.ts'
import { createPeer } from '../../../protocol/peer.ts'
import { readProcess, until } from './daemon.ts'

/** For `skip`: the reason, or `false`. */
export const onlyRoot = process.getuid?.() === 0 && process.platform === 'linux' ? false : 'needs root on Linux to make users and to become them'

export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
  /** All of them. */
  readonly groups: readonly number[]
  readonly home: string
}

export interface Users {
  /** 0755, so that every user can reach his home below it. */
  readonly folder: string
  make(name: string, options?: { readonly groups?: readonly string[]; readonly isSystem?: boolean }): User
  /** Resolves when no process of these users is left: what a worker started may outlive it by a moment. */
  gone(): Promise<void>
  close(): void
}

export function openUsers(): Users {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-users-'))
  chmodSync(folder, 0o755)
  const made: string[] = []
  const uids = new Set<number>()
  return {
    folder,
    make(short, { groups = [], isSystem = false } = {}) {
      const name = `bh${short}${process.pid}`
      const home = join(folder, short)
      const flags = ['--no-create-home', '--home-dir', home, '--user-group', ...(isSystem ? ['--system'] : []), ...(groups.length > 0 ? ['--groups', groups.join()] : [])]
      execFileSync('useradd', [...flags, name], { stdio: ['ignore', 'ignore', 'pipe'] })
      made.push(name)
      const [uid = 0, gid = 0] = ['-u', '-g'].map((which) => Number(execFileSync('id', [which, name], { encoding: 'utf8' })))
      uids.add(uid)
      mkdirSync(home, { mode: 0o700 })
      chownSync(home, uid, gid)
      const all = execFileSync('id', ['-G', name], { encoding: 'utf8' }).trim().split(' ').map(Number)
      return { name, uid, gid, groups: all, home }
    },
    gone: () => until(() => !processes().some((pid) => uids.has(uidOf(pid))), 'the end of the processes of the users'),
    close() {
      for (const name of made) execFileSync('userdel', [name], { stdio: 'ignore' })
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function processes(): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => pid > 0)
}

function uidOf(pid: number): number {
  return Number(/^Uid:\s*(\d+)/m.exec(readProcess(pid, 'status'))?.[1] ?? -1)
}

export interface TestCaller {
  call<Name extends MethodName>(name: Name, params: ParamsSent<Name>): Promise<Result<Name>>
  close(): Promise<void>
}

/** Runs something synchronous as a user: his ids and groups. */
export function as<T>(user: Pick<User, 'uid' | 'gid' | 'groups'>, act: () => T): T {
  if (!process.setegid || !process.seteuid || !process.setgroups) throw new Error('users cannot be changed on this system')
  const groups = process.getgroups?.() ?? []
  process.setgroups([...user.groups])
  process.setegid(user.gid)
  process.seteuid(user.uid)
  try {
    return act()
  } finally {
    process.seteuid(0)
    process.setegid(0)
    process.setgroups(groups)
  }
}

/** A socket that the user `user` opened, `null`: whoever we are. */
export function connectAs(path: string, user: User | null): net.Socket {
  const socket = user ? as(user, () => net.connect(path)) : net.connect(path)
  return socket.on('error', () => socket.destroy())
}

/** A caller of the daemon at `path`. Answers that are refusals reject with them. */
export function callAs(path: string, user: User | null): TestCaller {
  const socket = connectAs(path, user)
  const peer = createPeer({
    methods: new Map(), send: (line) => void socket.write(line), onBreach: () => socket.destroy(), onDefect: () => 'test', maximumLineBytes: 64 * 1024 * 1024,
  })
  socket.on('data', (bytes: Buffer) => peer.receive(bytes))
  const closed = new Promise<void>((resolve) => { socket.once('close', () => resolve()) })
  void closed.then(() => peer.close())
  return {
    call: async (name, params) => await peer.request(name, params, { timeoutMs: 60_000 }) as never,
    async close() {
      socket.destroy()
      await closed
    },
  }
}
