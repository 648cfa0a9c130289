// Files and network are touched by a process that is the owner, whatever the broker is (contract rule 8). Looked at from outside,
// as root sees it in /proc, while transfers run.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startOrigin, type Origin } from './support/origin.ts'
import { startSystemDaemon, type SystemDaemon } from './support/system-daemon.ts'
import { callAs, onlyRoot, openUsers, type TestCaller, type User, type Users } from './support/users.ts'

let users: Users
let ann: User
let bob: User
let daemon: SystemDaemon
let origin: Origin
let callers: readonly [TestCaller, TestCaller]
const body = Buffer.alloc(300_000, 'x')

before(async () => {
  if (onlyRoot !== false) return
  users = openUsers()
  ann = users.make('ann', { groups: ['games'] })
  bob = users.make('bob')
  origin = await startOrigin()
  origin.route('/stalls', { body, cutAfter: 200_000, cut: 'stall' })
  origin.route('/whole', { body })
  daemon = await startSystemDaemon({ environment: { PLANTED: 'planted-secret', NODE_OPTIONS: '--no-warnings' } })
  callers = [callAs(daemon.socket, ann), callAs(daemon.socket, bob)]
})

after(async () => {
  if (onlyRoot !== false) return
  for (const caller of callers ?? []) await caller.close()
  await daemon?.close()
  await origin?.close()
  users?.close()
})

interface Process { readonly pid: number; readonly uids: string; readonly open: readonly string[] }

/** The processes of the daemon, itself first. Each with its real, effective, saved and file system uid. */
function processes(): Process[] {
  const pids = execFileSync('ps', ['-o', 'pid=', '--ppid', String(daemon.pid)], { encoding: 'utf8' }).trim().split(/\s+/).map(Number)
  return [daemon.pid, ...pids].filter((pid) => isThere(pid)).map((pid) => ({
    pid, uids: field(pid, 'Uid'), open: readdirSync(`/proc/${pid}/fd`).map((fd) => targetOf(pid, fd)),
  }))
}

function isThere(pid: number): boolean {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false }) !== undefined && !read(pid, 'cmdline').startsWith('ps\0')
}

function read(pid: number, name: string): string {
  return readFileSync(`/proc/${pid}/${name}`, 'utf8')
}

function field(pid: number, name: string): string {
  return new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'm').exec(read(pid, 'status'))?.[1]?.replaceAll('\t', ' ') ?? ''
}

function targetOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`)
  } catch (error) {
    // The one through which the folder was read.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}

async function stalled(caller: TestCaller, user: User, name: string): Promise<string> {
  const { job } = await caller.call('job.create', {
    displayName: name, resume: true, files: [{ remoteName: origin.url('/stalls'), localName: join(user.home, name) }],
  })
  for (;;) {
    const { job: { progress } } = await caller.call('job.get', { jobId: job.id })
    if (progress.bytesTransferred >= 200_000) return job.id
  }
}

test('each owner has a process that is he, and only that one has his file and his connection open', { skip: onlyRoot }, async () => {
  await stalled(callers[0], ann, 'a.bin')
  await stalled(callers[1], bob, 'b.bin')
  for (const user of [ann, bob]) {
    const holding = processes().filter(({ open }) => open.some((target) => target.startsWith(user.home)))
    assert.deepEqual(holding.map(({ uids }) => uids), [Array(4).fill(user.uid).join(' ')])
    const [{ pid } = { pid: 0 }] = holding
    assert.ok(holding[0]?.open.some((target) => /\/BH\w+\.tmp$/.test(target)))
    const remote = `0100007F:${origin.port.toString(16).toUpperCase().padStart(4, '0')}`
    const sockets = readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
      .filter(([, , to, state, , , , uid]) => to === remote && state === '01' && uid === String(user.uid)).map((columns) => `socket:[${columns[9]}]`)
    assert.ok(sockets.length > 0)
    assert.deepEqual(processes().filter(({ open }) => sockets.some((socket) => open.includes(socket))).map((each) => each.pid), [pid])
  }
  const [broker] = processes()
  assert.equal(broker?.uids, '0 0 0 0')
  const foreign = broker?.open.filter((target) => target.startsWith('/') && !target.startsWith(daemon.folder) && !target.startsWith('/dev/'))
  assert.deepEqual(foreign, [])
})

test('a worker has no capability, no dump, no way to more, and limits of its own', { skip: onlyRoot }, () => {
  const worker = processes().find(({ uids }) => uids.startsWith(`${ann.uid} `))
  assert.ok(worker)
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.match(field(worker.pid, set), /^0+$/)
  assert.equal(field(worker.pid, 'NoNewPrivs'), '1')
  const games = Number(execFileSync('getent', ['group', 'games'], { encoding: 'utf8' }).split(':')[2])
  assert.deepEqual(field(worker.pid, 'Groups').split(' ').map(Number).sort(), [ann.gid, games].sort())
  assert.match(read(worker.pid, 'limits'), /^Max core file size +0 +0 /m)
  assert.match(read(worker.pid, 'limits'), /^Max open files +8192 +8192 /m)
  assert.equal(statSync(`/proc/${worker.pid}/mem`).uid, 0)
})

test('environment, arguments and descriptors of a worker hold nothing of the daemon', { skip: onlyRoot }, () => {
  const worker = processes().find(({ uids }) => uids.startsWith(`${ann.uid} `))
  assert.ok(worker)
  const names = read(worker.pid, 'environ').split('\0').filter((line) => line !== '').map((line) => line.split('=')[0])
  assert.deepEqual(names.filter((name) => !/^(PATH|HOME|USER|LOGNAME|LANG|TZ|TSX_\w+|NODE_EXTRA_CA_CERTS|UV_THREADPOOL_SIZE|MALLOC_ARENA_MAX)$/.test(name ?? '')), [])
  assert.ok(!read(worker.pid, 'cmdline').includes('planted'))
  assert.deepEqual(worker.open.filter((target) => target.startsWith(daemon.folder)), [])
  // What both ends of a stream show is the link and the log; nothing else of the broker's is there.
  const ours = new Set(processes()[0]?.open.filter((target) => /^(socket|pipe):/.test(target)))
  assert.deepEqual(worker.open.filter((target) => ours.has(target)), [])
})

test('a file is published with the modes of an ordinary one, also into a folder that a group may write', { skip: onlyRoot }, async () => {
  const shared = join(users.folder, 'shared')
  mkdirSync(shared)
  const games = Number(execFileSync('getent', ['group', 'games'], { encoding: 'utf8' }).split(':')[2])
  chownSync(shared, 0, games)
  chmodSync(shared, 0o2770)
  const files = [{ remoteName: origin.url('/whole'), localName: join(shared, 'whole.bin') }]
  const { job } = await callers[0].call('job.create', { displayName: 'shared', resume: true, priority: 'foreground', files })
  assert.equal((await callers[0].call('job.wait', { jobId: job.id, timeoutSeconds: 20 })).job.state, 'transferred')
  const partial = readdirSync(shared).map((name) => statSync(join(shared, name)).mode & 0o7777)
  assert.deepEqual(partial, [0o600])
  await callers[0].call('job.complete', { jobId: job.id })
  const { uid, gid, mode } = statSync(join(shared, 'whole.bin'))
  assert.deepEqual([uid, gid, mode & 0o7777], [ann.uid, games, 0o644])
  const denied = await callers[1].call('job.create', { displayName: 'not his', resume: true, priority: 'foreground', files })
  const { job: failed } = await callers[1].call('job.wait', { jobId: denied.job.id, timeoutSeconds: 20 })
  assert.equal(failed.error?.code, 'access-denied')
})
