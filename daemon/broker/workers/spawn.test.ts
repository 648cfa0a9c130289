import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { createInterface } from 'node:readline'
import { libc } from '../../libc.ts'
import { accountOf, groupIdOf } from './account.ts'
import type { Account } from './account-record.ts'
import { systemAuthorities } from './trust.ts'
import { spawnWorker, type SpawnOptions, type WorkerProcess } from './spawn.ts'

const onlyRoot = process.getuid?.() === 0 && process.platform === 'linux' ? false : 'needs root on Linux to become another user'
const name = `bhspawn${process.pid}`
let folder = ''
let main = ''
let owner: Account
let inherited = -1

interface Seen {
  readonly ids: readonly number[]
  readonly groups: readonly number[]
  readonly environment: Readonly<Record<string, string>>
  readonly folder: string
  readonly umask: number
  readonly status: string
  readonly limits: string
  readonly descriptors: readonly string[]
  readonly argv: readonly string[]
}

/** A worker that says what it is, tries what it is asked for, and ends with the link. In TypeScript, so that the loader is needed. */
const program = `
import fs from 'node:fs'
import net from 'node:net'
import { createInterface } from 'node:readline'
const targetOf = (fd: string): string => {
  try { return fs.readlinkSync('/proc/self/fd/' + fd) } catch { return '' }
}
const link: net.Socket = new net.Socket({ fd: 3 })
const seen = {
  ids: [process.getuid!(), process.geteuid!(), process.getgid!(), process.getegid!()], groups: process.getgroups!(),
  environment: process.env, folder: process.cwd(), umask: process.umask(), argv: process.argv,
  status: fs.readFileSync('/proc/self/status', 'utf8'), limits: fs.readFileSync('/proc/self/limits', 'utf8'),
  descriptors: fs.readdirSync('/proc/self/fd').map(targetOf),
}
link.write(JSON.stringify(seen) + '\\n')
createInterface({ input: link }).on('line', (line: string) => {
  let answer: string
  try { answer = String(eval(line)) } catch (error) { answer = String(error) }
  link.write(JSON.stringify(answer) + '\\n')
}).on('close', () => process.exit(7))
`

before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'backhaul-spawn-'))
  main = path.join(folder, 'program.ts')
  writeFileSync(main, program)
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}')
  chmodSync(folder, 0o755)
  if (process.platform === 'linux') inherited = openLikeInherited(folder)
  if (onlyRoot !== false) return
  execFileSync('useradd', ['--no-create-home', '--home-dir', '/nowhere', '--user-group', '--groups', 'games,audio', name])
  const uid = Number(execFileSync('id', ['-u', name], { encoding: 'utf8' }))
  const account = await accountOf(uid)
  assert.ok(account)
  owner = account
})

after(() => {
  if (onlyRoot === false) execFileSync('userdel', [name], { stdio: 'ignore' })
  if (inherited >= 0) closeSync(inherited)
  rmSync(folder, { recursive: true })
})

/** dup(2) gives a descriptor that is not close-on-exec, like one from whoever started us. */
function openLikeInherited(file: string): number {
  const fd = openSync(file, 'r')
  const copy = libc().func('int dup(int fd)')(fd) as number
  closeSync(fd)
  assert.ok(copy > 2)
  return copy
}

interface Conversation {
  readonly seen: Seen
  readonly worker: WorkerProcess
  readonly logged: readonly string[]
  ask(question: string): Promise<string>
}

async function withWorker(options: Partial<SpawnOptions>, use: (conversation: Conversation) => Promise<void>): Promise<void> {
  const logged: string[] = []
  const worker = spawnWorker({ account: owner, main, log: (line) => logged.push(line), ...options })
  const answers = createInterface({ input: worker.link })[Symbol.asyncIterator]()
  const next = async (): Promise<unknown> => {
    const { value, done } = await answers.next()
    if (done) assert.fail(`the worker ended: ${JSON.stringify(await worker.exited)} ${logged.join()}`)
    return JSON.parse(String(value))
  }
  try {
    const seen = await next() as Seen
    await use({ seen, worker, logged, ask: async (question) => (worker.link.write(`${question}\n`), String(await next())) })
  } finally {
    worker.link.end()
    await worker.exited
  }
}

test('a worker has the ids and all the groups of its owner, and no capability', { skip: onlyRoot }, async () => {
  await withWorker({}, async ({ seen, worker, logged }) => {
    assert.deepEqual(seen.ids, [owner.uid, owner.uid, owner.gid, owner.gid])
    const groups = [owner.gid, await groupIdOf('games'), await groupIdOf('audio')]
    assert.deepEqual([...seen.groups].sort(), groups.sort())
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.match(seen.status, new RegExp(`^${set}:\\s0+$`, 'm'))
    assert.match(seen.status, /^NoNewPrivs:\s1$/m)
    assert.match(seen.limits, /^Max core file size +0 +0 /m)
    assert.equal(typeof worker.pid, 'number')
    assert.deepEqual(logged, [])
  })
})

test('every thread and every child process of a worker is its owner, the TypeScript loader with them', { skip: onlyRoot }, async () => {
  await withWorker({}, async ({ ask, worker }) => {
    // The pool's threads start with the first use.
    await ask(`fs.stat('/', () => {})`)
    const uids = `fs.readFileSync(file + '/status', 'utf8').match(/^[UG]id:.*$/gm).join()`
    const threads = await ask(`fs.readdirSync('/proc/self/task').map((task) => '/proc/self/task/' + task).map((file) => ${uids}).join(';')`)
    const expected = `Uid:${`\t${owner.uid}`.repeat(4)},Gid:${`\t${owner.gid}`.repeat(4)}`
    assert.deepEqual([...new Set(threads.split(';'))], [expected])
    const children = execFileSync('ps', ['-o', 'uid=,args=', '--ppid', String(worker.pid)], { encoding: 'utf8' }).trim().split('\n')
    assert.ok(children.length > 0 && children.every((line) => line.trim().startsWith(`${owner.uid} `)), children.join())
  })
})

test('a worker cannot become root again, nor reach what only root may', { skip: onlyRoot }, async () => {
  await withWorker({}, async ({ ask }) => {
    for (const call of ['setuid(0)', 'seteuid(0)', 'setgid(0)', `initgroups('root', 0)`, 'setgroups([0])']) {
      assert.match(await ask(`process.${call}`), /EPERM/)
    }
    assert.match(await ask(`fs.readFileSync('/etc/shadow')`), /EACCES/)
    assert.match(await ask(`fs.readFileSync('/proc/' + process.ppid + '/environ')`), /EACCES/)
  })
})

test('another process of the owner cannot look into his worker', { skip: onlyRoot }, async () => {
  await withWorker({}, async ({ worker }) => {
    const look = ['--reuid', name, '--regid', name, '--init-groups', 'cat', `/proc/${worker.pid}/environ`]
    assert.throws(() => execFileSync('setpriv', look, { stdio: ['ignore', 'pipe', 'pipe'] }), /Permission denied/)
  })
})

test('the environment is built from nothing', { skip: process.platform === 'win32' && 'another list there' }, async () => {
  const kept = { ...process.env }
  const set = { BACKHAUL_PROBE: 'secret', NODE_OPTIONS: '--no-warnings', http_proxy: 'http://127.0.0.1:1', TZ: 'UTC', LANG: 'C' }
  Object.assign(process.env, set)
  try {
    await withWorker(onlyRoot === false ? {} : { account: null }, async ({ seen }) => {
      const { TSX_DISABLE_CACHE, TSX_TSCONFIG_PATH, ...environment } = seen.environment
      assert.equal(TSX_DISABLE_CACHE, '1')
      assert.ok(TSX_TSCONFIG_PATH?.endsWith('tsconfig.json'))
      const authorities = systemAuthorities()
      const { username, homedir } = onlyRoot === false ? { username: name, homedir: '/nowhere' } : os.userInfo()
      assert.deepEqual(environment, {
        PATH: '/usr/local/bin:/usr/bin:/bin', HOME: homedir, USER: username, LOGNAME: username, LANG: 'C', TZ: 'UTC', UV_THREADPOOL_SIZE: '32', MALLOC_ARENA_MAX: '1',
        ...(authorities === null ? {} : { NODE_EXTRA_CA_CERTS: authorities }),
      })
      assert.equal(seen.folder, '/')
    })
  } finally {
    for (const key of Object.keys(process.env)) delete process.env[key]
    Object.assign(process.env, kept)
  }
})

test('a worker holds the link and the log and no other descriptor of ours', { skip: onlyRoot }, async () => {
  await withWorker({}, async ({ seen, ask }) => {
    assert.equal(seen.umask, 0o022)
    // Whatever is open beside those belongs to the worker itself: anonymous descriptors, pipes and sockets made by node and the loader.
    const files = seen.descriptors.filter((target) => target.startsWith('/') && target !== '/dev/null' && !/^\/proc\/\d+\/fd$/.test(target))
    assert.deepEqual(files, [])
    const ours = execFileSync('ls', ['-l', `/proc/${process.pid}/fd`], { encoding: 'utf8' }).match(/(socket|pipe):\[\d+\]/g) ?? []
    const shared = new Set<string>(ours)
    assert.deepEqual(seen.descriptors.filter((target) => shared.has(target)), [])
    assert.equal(await ask(`fs.fstatSync(3).isSocket()`), 'true')
  })
})

test('in user mode a worker stays who we are, with our umask', { skip: process.platform !== 'linux' && 'reads /proc' }, async (context) => {
  const umask = process.umask(0o077)
  context.after(() => process.umask(umask))
  await withWorker({ account: null }, async ({ seen, ask }) => {
    assert.equal(seen.umask, 0o077)
    assert.deepEqual(seen.ids, [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()])
    assert.match(seen.status, /^NoNewPrivs:\s1$/m)
    assert.equal(await ask('6 * 7'), '42')
  })
})

test('a worker of root itself is root', { skip: onlyRoot }, async () => {
  const account = await accountOf(0)
  await withWorker({ account }, async ({ seen }) => assert.deepEqual(seen.ids, [0, 0, 0, 0]))
})

test('a worker ends when the link does, and its exit is told', async () => {
  const worker = spawnWorker({ account: null, main, log: () => {} })
  await once(worker.link, 'data')
  worker.link.end()
  assert.deepEqual(await worker.exited, { code: 7, signal: null, reason: null })
})

test('a worker can be killed, and its link closes', async () => {
  const worker = spawnWorker({ account: null, main, log: () => {} })
  await once(worker.link, 'data')
  const closed = once(worker.link, 'close')
  worker.link.resume()
  worker.kill('SIGKILL')
  assert.deepEqual(await worker.exited, { code: null, signal: 'SIGKILL', reason: null })
  await closed
  worker.kill('SIGKILL')
})

test('code that the owner cannot read is said in a sentence', { skip: onlyRoot }, async () => {
  const secret = path.join(folder, 'closed')
  mkdirSync(secret, { mode: 0o700 })
  writeFileSync(path.join(secret, 'program.mjs'), '')
  const logged: string[] = []
  const worker = spawnWorker({ account: owner, main: path.join(secret, 'program.mjs'), log: (line) => logged.push(line) })
  const ended = once(worker.link.resume(), 'close')
  const { code, reason } = await worker.exited
  await ended
  assert.equal(code, 83)
  assert.match(reason ?? '', /owner cannot read the code/)
  assert.match(logged.join('\n'), new RegExp(`user ${name} cannot read the code of the service.*EACCES`))
})

test('a user whom nobody knows, and arguments that make no sense, start nothing', { skip: onlyRoot }, async () => {
  const stranger = spawnWorker({ account: { ...owner, uid: 4_294_967_295 }, main, log: () => {} })
  assert.equal((await stranger.exited).code, 82)
  const nonsense = spawnWorker({ account: { ...owner, name: '' }, main, log: () => {} })
  assert.equal((await nonsense.exited).code, 81)
})

test('lines of the log come one by one, cut and without control characters', async () => {
  const logged: string[] = []
  const noisy = path.join(folder, 'noisy.ts')
  writeFileSync(noisy, `process.stderr.write('one\\n\\x1b[31mtwo\\n\\n' + 'x'.repeat(100_000) + '\\nthree')`)
  const worker = spawnWorker({ account: null, main: noisy, log: (line) => logged.push(line) })
  const ended = once(worker.link.resume(), 'close')
  await worker.exited
  await ended
  while (!logged.includes('three')) await new Promise(setImmediate)
  assert.deepEqual(logged.map((line) => line.slice(0, 10)), ['one', ' [31mtwo', 'x'.repeat(10), 'three'])
  assert.ok(logged.every((line) => line.length <= 8192))
})
