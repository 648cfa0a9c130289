// The whole service with real users, a real nginx and real kills: run by root. It makes two users for the run, keeps everything else
// under one temporary folder, and says on its last line how it went. It knows the daemon only from outside.
// BACKHAUL_E2E_MIB is the size of the large file (default 512).
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, chownSync, closeSync, createReadStream, ftruncateSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { connect } from '../client-sdk/index.ts'
import type { Job } from '../protocol/job.ts'
import { opened, processesOf, statusOf } from './end-to-end/processes.ts'
import { copyTree, startNginx, SystemDaemon, until, type Nginx } from './end-to-end/programs.ts'
import { addUser, ask, asUser, call, removeUser, type User } from './end-to-end/users.ts'

const mebibyte = 1024 * 1024
const size = Number(process.env['BACKHAUL_E2E_MIB'] ?? 512) * mebibyte
const kills = 10
const rate = 32 * mebibyte
const root = resolve(import.meta.dirname, '..')

interface Around {
  readonly folder: string
  readonly nginx: Nginx
  readonly daemon: SystemDaemon
  readonly alice: User
  readonly bob: User
}

const checks: readonly (readonly [claim: string, check: (around: Around) => Promise<void>])[] = [
  ['a large file is whole after ten kills of the daemon, and what was flushed is not fetched again', largeFile],
  ['the process that moves the bytes is the owner, wholly, with an environment of its own', workerIsOwner],
  ['each user sees his own jobs only, and another\'s id is an unknown one to every method', usersApart],
  ['a user has 60 jobs and not 61, another is not concerned, root is not bound', limits],
  ['a folder that the owner may not write to is his error, although root could', ownersRights],
  ['a program is called back over its connection', calledBack],
  ['the first command of the README works for an ordinary user in an empty folder', firstCommand],
  ['the daemon stops in order', async ({ daemon }) => assert.equal(await daemon.stop(), 0)],
]

process.exit(await main())

async function main(): Promise<number> {
  if (process.getuid?.() !== 0) {
    console.log('only root can make users\n0 passed, 1 failed')
    return 1
  }
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-e2e-'))
  chmodSync(folder, 0o755)
  const users: User[] = []
  // Then every check fails at once, and what was made is removed.
  const givenUp = new Promise<never>((_, reject) => { for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => reject(new Error('the run is given up'))) })
  givenUp.catch(() => undefined)
  let passed = 0
  let failed = 0
  try {
    const [alice, bob] = ['a', 'b'].map((letter) => addUser(`bhe2e${letter}${process.pid}`))
    assert.ok(alice && bob)
    users.push(alice, bob)
    const nginx = await startNginx(folder, rate)
    const daemon = new SystemDaemon(folder, copyTree(root, join(folder, 'tree')))
    try {
      await daemon.start()
      for (const [claim, check] of checks) {
        const startedAt = performance.now()
        const trouble = await Promise.race([check({ folder, nginx, daemon, alice, bob }), givenUp]).then(() => null, (error: unknown) => error)
        if (trouble === null) passed++
        else failed++
        console.log(`${trouble === null ? 'passed' : 'failed'}: ${claim} (${Math.round((performance.now() - startedAt) / 100) / 10} s)`)
        if (trouble !== null) console.log(trouble)
      }
    } finally {
      await daemon.stop()
      await nginx.stop()
    }
  } finally {
    for (const user of users) removeUser(user)
    rmSync(folder, { recursive: true, force: true })
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

async function largeFile({ folder, nginx, daemon, alice }: Around): Promise<void> {
  const source = join(folder, 'www', 'large')
  makeLargeFile(source)
  const localName = join(alice.home, 'large')
  const files = [{ remoteName: nginx.url('large'), localName }]
  const { job } = await call<{ job: Job }>(daemon.socket, alice, 'job.create', { displayName: 'large', resume: true, files, options: { connections: 1 } })
  const bytes = async (): Promise<number> => (await call<{ job: Job }>(daemon.socket, alice, 'job.get', { jobId: job.id })).job.progress.bytesTransferred
  for (let kill = 1; kill <= kills; kill++) {
    const target = Math.floor((size * kill) / (kills + 1))
    await until(async () => await bytes() >= target, `${target} bytes are here`)
    await daemon.kill9()
    await daemon.start()
  }
  const { job: done } = await call<{ job: Job }>(daemon.socket, alice, 'job.wait', { jobId: job.id, timeoutSeconds: 100 })
  assert.equal(done.state, 'transferred', JSON.stringify(done.error))
  await call(daemon.socket, alice, 'job.complete', { jobId: job.id })
  assert.equal(await hashOf(localName), await hashOf(source))
  assert.equal(statSync(localName).uid, alice.uid)
  assert.deepEqual(readdirSync(alice.home).filter((name) => name.startsWith('BH')), [])

  const served = nginx.served('large')
  const sent = served.reduce((sum, { bytes: each }) => sum + each, 0)
  const starts = served.map(({ from }) => from)
  // A checkpoint comes after 16 MiB and takes a moment; what came meanwhile, and what the sockets held, is lost too.
  const perKill = 16 * mebibyte + rate * 0.5
  console.log(`  ${Math.round(sent / mebibyte)} MiB sent for ${Math.round(size / mebibyte)}; starts at ${starts.map((from) => Math.round(from / mebibyte)).join(', ')} MiB`)
  assert.ok(sent <= size + kills * perKill, `${sent} bytes were sent for ${size}`)
  for (const [at, from] of starts.entries()) if (at > 0) assert.ok(from >= (starts[at - 1] ?? 0), 'no start lies before an earlier one')
  assert.ok((starts.at(-1) ?? 0) > size / 2, 'the last start is near the end')
  assert.ok(served.slice(1).every(({ status, from }) => status === 206 || from === 0))
}

/** Random in places and with holes between them, so that it is quickly made and no two blocks are alike by chance. */
function makeLargeFile(path: string): void {
  const fd = openSync(path, 'w')
  ftruncateSync(fd, size)
  for (let at = 0; at < size; at += 8 * mebibyte) writeSync(fd, randomBytes(64 * 1024), 0, 64 * 1024, at)
  closeSync(fd)
}

async function workerIsOwner({ nginx, daemon, alice, folder }: Around): Promise<void> {
  const files = [{ remoteName: nginx.url('large'), localName: join(alice.home, 'again') }]
  const { job } = await call<{ job: Job }>(daemon.socket, alice, 'job.create', { displayName: 'again', resume: true, files })
  await call(daemon.socket, alice, 'job.wait', { jobId: job.id, states: ['transferring'], timeoutSeconds: 30 })
  const holders = processesOf(alice.uid).filter((pid) => opened(pid).some((path) => path.startsWith(`${alice.home}/BH`)))
  assert.equal(holders.length, 1)
  const status = statusOf(holders[0] ?? 0)
  assert.match(status, new RegExp(`^Uid:\\s+${alice.uid}\\s+${alice.uid}\\s+${alice.uid}\\s+${alice.uid}$`, 'm'))
  assert.match(status, new RegExp(`^Gid:\\s+${alice.gid}\\s+${alice.gid}\\s+${alice.gid}\\s+${alice.gid}$`, 'm'))
  const groups = execFileSync('id', ['-G', alice.name], { encoding: 'utf8' }).trim().split(' ').sort()
  assert.deepEqual(/^Groups:\s+(.*?)\s*$/m.exec(status)?.[1]?.split(' ').sort(), groups)
  assert.match(status, /^CapEff:\s+0+$/m)
  const environment = readFileSync(`/proc/${holders[0]}/environ`, 'utf8').split('\0')
  assert.ok(environment.includes(`HOME=${alice.home}`) && environment.includes(`USER=${alice.name}`))
  assert.deepEqual(environment.filter((entry) => /^(SUDO|BACKHAUL|SSH|npm_)/.test(entry)), [])
  assert.deepEqual(opened(holders[0] ?? 0).filter((path) => path.startsWith(join(folder, 'state'))), [])
  assert.deepEqual(opened(daemon.pid).filter((path) => path.startsWith(alice.home)), [])
  await call(daemon.socket, alice, 'job.cancel', { jobId: job.id })
  assert.deepEqual(readdirSync(alice.home).filter((name) => name.startsWith('BH')), [])
}

async function usersApart({ daemon, alice, bob }: Around): Promise<void> {
  const file = { remoteName: 'http://127.0.0.1/x', localName: join(alice.home, 'x') }
  const { job } = await call<{ job: Job }>(daemon.socket, alice, 'job.create', { displayName: 'hers', files: [file] })
  assert.deepEqual((await call<{ jobs: Job[] }>(daemon.socket, bob, 'job.list', {})).jobs, [])
  const methods: Record<string, object> = {
    'job.get': {}, 'job.resume': {}, 'job.suspend': {}, 'job.cancel': {}, 'job.complete': {}, 'job.wait': { timeoutSeconds: 0 }, 'job.explain': {},
    'job.update': { set: {} }, 'job.addFiles': { files: [file] }, 'file.list': {}, 'file.get': { fileIndex: 0 }, 'file.update': { fileIndex: 0, set: {} },
  }
  for (const [method, more] of Object.entries(methods)) assert.equal((await ask(daemon.socket, bob, method, { jobId: job.id, ...more })).error?.data.kind, 'job-not-found', method)
  assert.equal((await call<{ job: Job }>(daemon.socket, alice, 'job.get', { jobId: job.id })).job.state, 'suspended')
  await call(daemon.socket, alice, 'job.cancel', { jobId: job.id })
}

async function limits({ daemon, alice, bob }: Around): Promise<void> {
  const create = { displayName: 'one of many' }
  for (let at = 0; at < 60; at++) await call(daemon.socket, alice, 'job.create', create)
  const { error } = await ask(daemon.socket, alice, 'job.create', create)
  assert.deepEqual([error?.code, error?.data], [1006, { kind: 'too-many-jobs-of-user', retryable: false, limit: 60 }])
  await call(daemon.socket, bob, 'job.create', create)
  for (let at = 0; at < 61; at++) await call(daemon.socket, null, 'job.create', create)
  for (const user of [alice, bob, null]) {
    const { jobs } = await call<{ jobs: Job[] }>(daemon.socket, user, 'job.list', {})
    for (const { id } of jobs) await call(daemon.socket, user, 'job.cancel', { jobId: id })
  }
}

async function ownersRights({ nginx, daemon, alice, folder }: Around): Promise<void> {
  writeFileSync(join(folder, 'www', 'small'), 'small')
  const locked = join(folder, 'locked')
  mkdirSync(locked, { mode: 0o755 })
  const { job } = await call<{ job: Job }>(daemon.socket, alice, 'job.create', { displayName: 'x', resume: true, files: [{ remoteName: nginx.url('small'), localName: join(locked, 'x') }] })
  const { job: failed } = await call<{ job: Job }>(daemon.socket, alice, 'job.wait', { jobId: job.id, timeoutSeconds: 30 })
  assert.deepEqual([failed.state, failed.error?.context, failed.error?.code], ['error', 'local-file', 'access-denied'])
  chownSync(locked, alice.uid, alice.gid)
  await call(daemon.socket, alice, 'job.resume', { jobId: job.id })
  assert.equal((await call<{ job: Job }>(daemon.socket, alice, 'job.wait', { jobId: job.id, timeoutSeconds: 30 })).job.state, 'transferred')
  await call(daemon.socket, alice, 'job.complete', { jobId: job.id })
  assert.equal(readFileSync(join(locked, 'x'), 'utf8'), 'small')
}

async function calledBack({ folder, nginx, daemon }: Around): Promise<void> {
  const client = await connect({ socket: daemon.socket })
  try {
    const told = new Promise<string>((resolve) => {
      void client.callbacks({ application: 'end-to-end' }, { jobTransferred: async ({ id }) => resolve(id) })
    })
    const job = await client.createJob({
      displayName: 'x', application: 'end-to-end', resume: true, files: [{ remoteName: nginx.url('small'), localName: join(folder, 'called') }],
    })
    const late = AbortSignal.timeout(30_000)
    const inTime = new Promise<never>((_, reject) => { late.addEventListener('abort', () => reject(new Error('no callback came'))) })
    assert.equal(await Promise.race([told, inTime]), job.id)
    await job.complete()
  } finally {
    client.close()
  }
}

/** As it stands in the README, in a fresh clone, in a home that holds nothing else. */
async function firstCommand({ bob }: Around): Promise<void> {
  const [, command = ''] = /```sh\n(npm ci && npx backhaul get .*)\n```/.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []
  assert.ok(command.includes('backhaul get'), 'the README has its first command')
  const clone = join(bob.home, 'clone')
  execFileSync('git', ['-c', `safe.directory=${root}`, 'clone', '--quiet', '--no-hardlinks', root, clone], { stdio: ['ignore', 'ignore', 'inherit'] })
  execFileSync('chown', ['-R', `${bob.uid}:${bob.gid}`, clone])
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', cwd: root }).trim()
  const environment = { PATH: process.env['PATH'], HOME: bob.home, USER: bob.name, npm_config_registry: registry, npm_config_update_notifier: 'false' }
  const run = async (line: string): Promise<string> => (await promisify(execFile)(...asUser(bob, ['sh', '-c', line]), { cwd: clone, env: environment, timeout: 90_000 })).stdout
  try {
    const path = (await run(command)).trim().split('\n').at(-1) ?? ''
    assert.ok(statSync(path).size > 1000, 'the file is where the last line says')
    assert.equal(statSync(path).uid, bob.uid)
    assert.deepEqual(readdirSync(join(path, '..')).filter((name) => name.startsWith('BH')), [])
  } finally {
    // The daemon that it started goes on, which is as it should be; here it must end.
    for (const pid of processesOf(bob.uid)) process.kill(pid, 'SIGTERM')
    await until(() => processesOf(bob.uid).length === 0, 'the daemon of the user has ended')
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path, { highWaterMark: mebibyte })) hash.update(bytes as Buffer)
  return hash.digest('hex')
}
