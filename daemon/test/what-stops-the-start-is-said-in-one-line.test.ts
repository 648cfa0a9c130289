import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Level } from 'level'
import { seal } from '../broker/store/checked-value.ts'
import { metaKey } from '../broker/store/keys.ts'
import { Daemon, program, until } from './support/daemon.ts'
import { onlyRoot } from './support/users.ts'

function make(t: TestContext, config = ''): Daemon {
  const daemon = Daemon.make({ config })
  t.after(() => daemon.close())
  return daemon
}

async function started(t: TestContext, config = ''): Promise<Daemon> {
  const daemon = make(t, config)
  await daemon.start()
  return daemon
}

/** How a daemon with these flags ends that must not start. */
function run(...flags: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...flags], { encoding: 'utf8', timeout: 30_000 })
  return { code: status, out: stdout, err: stderr }
}

function flagsOf(daemon: Daemon): string[] {
  return ['--mode', 'user', '--socket', daemon.socket, '--state', daemon.state, '--config', daemon.config]
}

function expectOneLine(ended: { code: number | null; err: string }, pattern: RegExp): void {
  assert.equal(ended.code, 1, ended.err)
  const lines = ended.err.trim().split('\n').filter((line) => !line.startsWith('{'))
  assert.equal(lines.length, 1, ended.err)
  assert.match(lines[0] ?? '', pattern)
}

test('a second daemon on the same state or the same socket exits 1, and the first goes on', async (t) => {
  const first = await started(t)
  const second = make(t)
  expectOneLine(run('--mode', 'user', '--socket', second.socket, '--state', first.state, '--config', first.config), /another daemon/)
  expectOneLine(run('--mode', 'user', '--socket', first.socket, '--state', second.state, '--config', first.config), /another daemon/)
  expectOneLine(run(...flagsOf(first)), /another daemon/)
  await (await first.client()).call('system.ping')
})

test('in system mode a state folder that is not root\'s alone is refused', { skip: onlyRoot }, (t) => {
  const daemon = make(t)
  const flags = ['--mode', 'system', ...flagsOf(daemon).slice(2)]
  mkdirSync(daemon.state)
  for (const [uid, mode] of [[0, 0o755], [0, 0o770], [65_534, 0o700]] as const) {
    chownSync(daemon.state, uid, 0)
    chmodSync(daemon.state, mode)
    expectOneLine(run(...flags), /must be root's alone/)
  }
  chownSync(daemon.state, 0, 0)
  chmodSync(daemon.state, 0o700)
  chmodSync(daemon.folder, 0o777)
  expectOneLine(run(...flags), /can be written by others than root/)
  chmodSync(daemon.folder, 0o755)
  const link = `${daemon.state}-link`
  symlinkSync(daemon.state, link)
  expectOneLine(run(...flags.with(flags.indexOf(daemon.state), link)), /no link/)
})

test('of several daemons started at once on one state one runs', async (t) => {
  const daemons = [make(t), make(t), make(t)]
  for (const daemon of daemons) daemon.launch({ state: daemons[0]?.state ?? '', flags: ['--socket', daemons[0]?.socket ?? ''] })
  await Promise.race(daemons.map((daemon) => daemon.exit()))
  await until(() => daemons.filter((daemon) => daemon.said.includes('another daemon')).length === 2, 'two say why they end')
  const client = await daemons[0]?.client()
  await client?.call('system.ping')
  for (const daemon of daemons) if (!daemon.said.includes('another daemon')) assert.deepEqual(await daemon.stop(), { code: 0, signal: null })
})

test('SIGTERM and SIGINT stop it in order with exit 0, and the socket is gone', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const daemon = await started(t)
    assert.deepEqual(await daemon.stop(signal), { code: 0, signal: null })
    assert.equal(existsSync(daemon.socket), false)
  }
})

test('a signal that comes while it starts stops it in order too, as soon as it listens', async (t) => {
  for (let round = 0; round < 8; round++) {
    const daemon = make(t)
    daemon.launch()
    await until(() => existsSync(daemon.socket), 'the socket')
    assert.deepEqual(await daemon.stop(round % 2 === 0 ? 'SIGTERM' : 'SIGINT'), { code: 0, signal: null }, daemon.said)
  }
})

test('a socket that a killed daemon left is replaced, other things are not', async (t) => {
  const daemon = await started(t)
  await daemon.kill9()
  assert.ok(lstatSync(daemon.socket).isSocket())
  await daemon.start()
  await (await daemon.client()).call('system.ping')
  const other = make(t)
  writeFileSync(other.socket, 'precious')
  expectOneLine(run(...flagsOf(other)), /not a socket/)
  assert.equal(readFileSync(other.socket, 'utf8'), 'precious')
})

test('a socket of another program that answers is left alone', async (t) => {
  const daemon = make(t)
  const server = net.createServer().listen(daemon.socket)
  t.after(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  assert.equal((await new Promise<{ code: number | null }>((resolve) => {
    daemon.launch()
    void daemon.exit().then(resolve)
  })).code, 1)
  assert.match(daemon.said, /another daemon/)
})

test('in user mode the folder of the socket is 0700, the socket 0600, the state 0700', async (t) => {
  const daemon = make(t)
  daemon.launch({ flags: ['--socket', join(daemon.folder, 'run', 'sock')] })
  const modeOf = (path: string): number => lstatSync(path).mode & 0o777
  await until(() => daemon.said.includes('is ready'), 'it is ready')
  assert.deepEqual([modeOf(join(daemon.folder, 'run')), modeOf(join(daemon.folder, 'run', 'sock')), modeOf(daemon.state)], [0o700, 0o600, 0o700])
})

test('a state that a newer version wrote is refused and not touched', async (t) => {
  const daemon = await started(t)
  const { job } = await (await daemon.client()).call('job.create', { displayName: 'kept' })
  await daemon.stop()
  await put(daemon, metaKey.schema, seal(metaKey.schema, '2'))
  expectOneLine(run(...flagsOf(daemon)), /newer version/)
  await put(daemon, metaKey.schema, seal(metaKey.schema, '1'))
  await daemon.start()
  assert.equal((await (await daemon.client()).call('job.get', { jobId: job.id })).job.displayName, 'kept')
})

async function put(daemon: Daemon, key: string, value: string): Promise<void> {
  const database = new Level<string, string>(join(daemon.state, 'queue'))
  await database.put(key, value, { sync: true })
  await database.close()
}

test('what is wrong in the configuration is named with its line, all at once', async (t) => {
  const daemon = make(t, '[limits]\njobsPerUser = 10\n\n[transfer]\nbackgroundSlots = "four"\nspeed = 3\n\n[nothing]\nx = 1\n')
  const { code, err } = run(...flagsOf(daemon))
  assert.equal(code, 1)
  assert.match(err, /config\.toml:5:.*backgroundSlots/)
  assert.match(err, /config\.toml:6:.*speed/)
  assert.match(err, /config\.toml:8:.*nothing/)
  daemon.configure('[limits\n')
  assert.match(run(...flagsOf(daemon)).err, /config\.toml:1:/)
  daemon.configure('[limits]\njobsPerUser = 0\n')
  assert.match(run(...flagsOf(daemon)).err, /config\.toml:2:.*jobsPerUser/)
  assert.equal(run('--mode', 'user', '--socket', daemon.socket, '--state', daemon.state, '--config', join(daemon.folder, 'missing.toml')).code, 1)
  assert.equal(existsSync(daemon.state), false)
})

test('at SIGHUP a wrong configuration is logged and the old one stays; a right one counts', async (t) => {
  const daemon = await started(t, '[limits]\njobsPerUser = 7\n')
  const client = await daemon.client()
  daemon.configure('[limits]\njobsPerUser = "many"\n')
  daemon.signal('SIGHUP')
  await until(() => daemon.log().some(({ msg, problems }) => String(msg).includes('wrong') && JSON.stringify(problems).includes('config.toml:2')), 'it is logged')
  assert.equal((await client.call('session.hello')).limits.jobsPerUser, 7)
  daemon.configure('[limits]\njobsPerUser = 8\n')
  daemon.signal('SIGHUP')
  await until(async () => (await client.call('session.hello')).limits.jobsPerUser === 8, 'the new one counts')
})

test('flags that are not known or have wrong values end with 2; --version and --help with 0', () => {
  for (const flags of [['--nothing'], ['--mode', 'both'], ['--log-level', 'loud'], ['word'], ['--socket']]) assert.equal(run(...flags).code, 2, flags.join(' '))
  const version = run('--version')
  assert.deepEqual([version.code, version.err], [0, ''])
  assert.match(version.out, /\d+\.\d+\.\d+/)
  const help = run('--help')
  assert.equal(help.code, 0)
  for (const word of ['--socket', 'BACKHAUL_SOCKET', '--state', 'BACKHAUL_STATE', '--config', 'BACKHAUL_CONFIG', '--mode', 'BACKHAUL_MODE', '--log-level']) assert.ok(help.out.includes(word), word)
})

test('a flag beats the environment, which beats the file', async (t) => {
  const daemon = make(t, '[log]\nlevel = "debug"\n')
  const elsewhere = join(daemon.folder, 'elsewhere')
  await daemon.start({ environment: { BACKHAUL_STATE: elsewhere, BACKHAUL_LOG_LEVEL: 'warn' } })
  assert.equal(existsSync(elsewhere), false)
  assert.deepEqual(daemon.log(), [])
  await daemon.stop()
  await daemon.start({ environment: {}, flags: ['--log-level', 'info'] })
  await until(() => daemon.log().some(({ msg }) => msg === 'backhauld is ready'), 'the level of the flag counts')
})

test('a state folder that cannot be used stops the start', async (t) => {
  const daemon = make(t)
  writeFileSync(daemon.state, 'a file')
  chmodSync(daemon.state, 0o600)
  expectOneLine(run(...flagsOf(daemon)), /state/)
})

const certificate = (daemon: Daemon, name: string): string => {
  const path = join(daemon.folder, name)
  spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null', '-out', path, '-subj', '/CN=x'])
  return path
}

test('files and groups that the configuration names are looked at before the start, and what is wrong is said with its line', (t) => {
  const daemon = make(t)
  const wrong = (config: string, pattern: RegExp): void => {
    daemon.configure(config)
    expectOneLine(run(...flagsOf(daemon)), pattern)
  }
  const authorities = (path: string): string => `[transfer]\nfilesAtOnce = 4\ncertificateAuthorities = ["${path}"]\n`
  const good = certificate(daemon, 'good.pem')
  const cut = join(daemon.folder, 'cut.pem')
  wrong(authorities('/nowhere/a.pem'), /config\.toml:3: transfer\.certificateAuthorities\.0: \/nowhere\/a\.pem cannot be read: ENOENT/)
  wrong(authorities(daemon.folder), /config\.toml:3: .* cannot be read: EISDIR/)
  writeFileSync(cut, 'hello')
  wrong(authorities(cut), /cut\.pem holds no certificate/)
  writeFileSync(cut, `${readFileSync(good, 'utf8')}-----BEGIN CERTIFICATE-----\nMIIB\n`)
  wrong(authorities(cut), /cut\.pem holds a certificate that is cut off/)
  writeFileSync(cut, '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n')
  wrong(authorities(cut), /cut\.pem holds a certificate that cannot be read/)
  wrong('[[policy]]\nexempt = true\n\n[[policy]]\ngroup = "no-such-group"\n', /config\.toml:5: policy\.1\.group: there is no group no-such-group/)
})

test('at SIGHUP a file or a group that is missing changes nothing: the daemon goes on with what it had', async (t) => {
  const daemon = await started(t)
  const client = await daemon.client()
  const refused = (): string[] => daemon.log().filter(({ msg }) => msg === 'the configuration is wrong; the one before stays').map(({ problems }) => String(problems))
  const good = certificate(daemon, 'good.pem')
  for (const [at, named] of ['[transfer]\ncertificateAuthorities = ["/nowhere/a.pem"]\n', '[[policy]]\ngroup = "no-such-group"\n'].entries()) {
    daemon.configure(`[limits]\njobsPerUser = 1\n${named}`)
    daemon.signal('SIGHUP')
    await until(() => refused().length === at + 1, 'it is said')
    assert.equal((await client.call('session.hello')).limits.jobsPerUser, 60)
  }
  daemon.configure(`[limits]\njobsPerUser = 7\n[transfer]\ncertificateAuthorities = ["${good}"]\n`)
  daemon.signal('SIGHUP')
  await until(async () => (await client.call('session.hello')).limits.jobsPerUser === 7, 'a right one counts')
  const { job } = await client.call('job.create', { displayName: 'x', resume: true, files: [{ remoteName: 'http://127.0.0.1:1/x', localName: join(daemon.files, 'x') }] })
  const { job: tried } = await client.call('job.wait', { jobId: job.id, states: ['transient-error'] })
  assert.equal(tried.error?.code, 'cannot-connect')
})
