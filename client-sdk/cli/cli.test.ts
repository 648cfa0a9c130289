import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import type { File, Job } from '../../protocol/job.ts'
import type { Result } from '../../protocol/methods.ts'
import { connect } from '../client.ts'
import { startDaemonProcess, type DaemonProcess } from '../test/daemon-process.ts'
import { startOrigin, type Origin } from '../test/origin.ts'
import { until } from '../test/scripted-daemon.ts'

const program = resolve(import.meta.dirname, 'backhaul.js')

let daemon: DaemonProcess
let origin: Origin
before(async () => {
  daemon = await startDaemonProcess()
  origin = await startOrigin()
})
after(async () => {
  await origin.close()
  await daemon.close()
})

interface Ended {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

function begin(...args: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [program, ...args], { env: daemon.environment, cwd: daemon.folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (bytes: Buffer) => { stdout += bytes.toString() })
  child.stderr.on('data', (bytes: Buffer) => { stderr += bytes.toString() })
  return { child, ended: once(child, 'close').then(([exitCode]) => ({ exitCode: exitCode as number | null, stdout, stderr })) }
}

function backhaul(...args: string[]): Promise<Ended> {
  return begin(...args).ended
}

/** What the answers of the verbs have in them; a test looks only at what its verb has. */
interface Answer {
  readonly job: Job
  readonly jobs: readonly Job[]
  readonly files: readonly File[]
  readonly created: boolean
  readonly partial: boolean
  readonly path: string | null
  readonly socket: string
  readonly limits: Result<'queue.stats'>['limits']
}

async function json(...args: string[]): Promise<Answer> {
  const { exitCode, stdout, stderr } = await backhaul(...args, '--json')
  assert.equal(exitCode, 0, stderr)
  assert.equal(stdout.trimEnd().split('\n').length, 1)
  return JSON.parse(stdout) as Answer
}

test('get prints the path and nothing else, and the file is whole', async () => {
  const body = randomBytes(100_000)
  origin.serve('/one.bin', body)
  const sum = createHash('sha256').update(body).digest('hex')
  assert.deepEqual(await backhaul('get', origin.url('/one.bin'), '--checksum', `sha256:${sum}`),
    { exitCode: 0, stdout: `${join(daemon.folder, 'one.bin')}\n`, stderr: '' })
  assert.deepEqual(await readFile(join(daemon.folder, 'one.bin')), body)
})

test('get gives the file another name where its own is taken, unless told to replace or to refuse', async () => {
  origin.serve('/again', Buffer.from('new'))
  const path = join(daemon.folder, 'again')
  await writeFile(path, 'old')
  const refused = await backhaul('get', origin.url('/again'), path, '--no-clobber')
  assert.equal(refused.exitCode, 4)
  assert.match(refused.stderr, /exists already/)
  assert.equal(await readFile(path, 'utf8'), 'old')
  assert.equal((await json('get', origin.url('/again'), path)).path, `${path} (1)`)
  assert.equal(await readFile(`${path} (1)`, 'utf8'), 'new')
  assert.equal((await backhaul('get', origin.url('/again'), path, '--on-conflict', 'fail')).exitCode, 1)
  assert.equal(await readFile(path, 'utf8'), 'old')
  assert.equal((await json('get', origin.url('/again'), path, '--on-conflict', 'replace')).path, path)
  assert.equal(await readFile(path, 'utf8'), 'new')
})

test('get of what is not there exits 1, says why, and leaves the job in error', async () => {
  const { exitCode, stdout, stderr } = await backhaul('get', origin.url('/missing'), '--json')
  assert.equal(exitCode, 1)
  const { job, path } = JSON.parse(stdout) as Answer
  assert.deepEqual([job.state, job.error?.httpStatus, path], ['error', 404, null])
  assert.equal(JSON.parse(stderr).error.kind, 'job-error')
  const waited = await backhaul('wait', job.id)
  assert.deepEqual([waited.exitCode, waited.stdout], [1, 'error\n'])
  assert.equal((await backhaul('cancel', job.id)).exitCode, 0)
})

test('Ctrl-C leaves the job running, says how to come back, and wait --complete takes the file', async () => {
  const body = randomBytes(100_000)
  origin.serve('/slow.bin', body, { holdAfter: 40_000 })
  const { child, ended } = begin('get', origin.url('/slow.bin'), '--application', 'ctrl-c')
  await until(() => origin.asked.includes('/slow.bin'), 'the request')
  child.kill('SIGINT')
  const { exitCode, stdout, stderr } = await ended
  assert.deepEqual([exitCode, stdout], [130, ''])
  const [, id] = /backhaul wait ([0-9a-f]{8}) --complete/.exec(stderr) ?? []
  assert.ok(id, stderr)
  const { jobs: [job] } = await json('list', '--application', 'ctrl-c')
  assert.ok(job?.id.startsWith(id))
  assert.notEqual(job?.state, 'cancelled')
  const late = await backhaul('wait', id, '--timeout', '0')
  assert.equal(late.exitCode, 5)
  origin.release('/slow.bin')
  assert.deepEqual(await backhaul('wait', id, '--complete'), { exitCode: 0, stdout: `${join(daemon.folder, 'slow.bin')}\n`, stderr: '' })
  assert.deepEqual(await readFile(join(daemon.folder, 'slow.bin')), body)
})

test('get --detach prints the id of a background job, whose file appears by itself', async () => {
  origin.serve('/detached', Buffer.from('d'))
  const { exitCode, stdout } = await backhaul('get', '--detach', origin.url('/detached'))
  assert.equal(exitCode, 0)
  const { job } = await json('show', stdout.trim())
  assert.deepEqual([job.priority, job.options.minimumRetryDelaySeconds], ['normal', 600])
  assert.equal((await backhaul('wait', stdout.trim().slice(0, 13))).stdout, 'acknowledged\n')
  assert.equal(await readFile(join(daemon.folder, 'detached'), 'utf8'), 'd')
})

test('get --keep leaves the file to complete', async () => {
  origin.serve('/kept', Buffer.from('k'))
  const { job } = await json('get', '--keep', origin.url('/kept'))
  assert.equal(job.state, 'transferred')
  assert.equal((await backhaul('complete', job.id)).stdout, `${join(daemon.folder, 'kept')}\n`)
})

test('a job goes through its verbs, step by step', async () => {
  origin.serve('/a', Buffer.from('aaa'))
  origin.serve('/b', Buffer.from('bbb'))
  await mkdir(join(daemon.folder, 'steps'))
  const { job, created } = await json('create', 'steps', '--application', 'steps', '--priority', 'high', '--token', 'steps')
  assert.deepEqual([job.state, created], ['suspended', true])
  assert.equal((await json('create', 'steps', '--token', 'steps')).job.id, job.id)
  assert.equal((await json('add', job.id, origin.url('/a'), 'steps/a', origin.url('/b'), 'steps/b')).files.length, 2)
  assert.equal((await json('files', job.id)).files[1]?.localName, join(daemon.folder, 'steps', 'b'))
  assert.equal((await json('set', job.id, '--name', 'renamed', '--retry-delay', '30', '--notify-events', 'error')).job.displayName, 'renamed')
  assert.match((await backhaul('explain', job.id)).stdout, /suspended/)
  assert.equal((await json('resume', job.id)).job.id, job.id)
  assert.equal((await json('wait', job.id, '--timeout', '30')).job.state, 'transferred')
  const table = await backhaul('list', '--application', 'steps')
  assert.match(table.stdout, new RegExp(`^ID .*\\n${job.id.slice(0, 8)}  transferred  high +100% +6 B .*renamed`))
  assert.equal((await json('complete', job.id)).partial, false)
  assert.deepEqual((await readdir(join(daemon.folder, 'steps'))).sort(), ['a', 'b'])
  assert.deepEqual((await json('list', '--application', 'steps')).jobs, [])
  assert.equal((await json('list', '--application', 'steps', '--ended')).jobs[0]?.state, 'acknowledged')
  assert.match((await backhaul('show', job.id)).stdout, /state: +acknowledged/)
})

test('several jobs are changed at once, and a mistyped id changes none', async () => {
  const ids = [(await backhaul('create', 'x')).stdout.trim(), (await backhaul('create', 'y')).stdout.trim()]
  const refused = await backhaul('cancel', ...ids, 'ffffffff-ffff')
  assert.equal(refused.exitCode, 4)
  assert.match(refused.stderr, /No job starts with ffffffff-ffff/)
  assert.equal((await json('show', ids[0] ?? '')).job.state, 'suspended')
  const { exitCode, stdout } = await backhaul('cancel', ...ids, '--json')
  assert.equal(exitCode, 0)
  assert.deepEqual(JSON.parse(stdout).map(({ job }: { job: { state: string } }) => job.state), ['cancelled', 'cancelled'])
})

test('an id that several jobs start with is refused with both named', async () => {
  const ids: string[] = []
  await using client = await connect({ socket: daemon.socket })
  const isShared = (): boolean => ids.some((id, at) => ids.findIndex((other) => other[0] === id[0]) !== at)
  while (!isShared()) ids.push((await client.createJob({ displayName: 'many' })).id)
  const shared = ids.find((id, at) => ids.findIndex((other) => other[0] === id[0]) !== at) ?? ''
  const { exitCode, stderr } = await backhaul('show', shared.slice(0, 1))
  assert.equal(exitCode, 4)
  assert.match(stderr, /Several jobs start with/)
  for (const id of ids) await client.job(id).cancel()
})

test('wrong usage exits 2, a named socket where nobody answers 3, a refusal 4', async () => {
  for (const args of [[], ['get'], ['nonsense'], ['list', '--state', 'x'], ['wait', 'x', '--timeout', 'soon'], ['set', '1a2b'], ['create', 'x', 'http://odd/']]) {
    assert.equal((await backhaul(...args)).exitCode, 2, args.join(' '))
  }
  const away = await backhaul('--socket', join(daemon.folder, 'nobody.sock'), 'ping', '--json')
  assert.equal(away.exitCode, 3)
  assert.equal(JSON.parse(away.stderr).error.kind, 'no-daemon')
  const bad = await backhaul('get', 'ftp://127.0.0.1/x')
  assert.equal(bad.exitCode, 4)
  assert.match(bad.stderr, /^backhaul: .*http/)
})

test('ping and stats answer, for people and for programs', async () => {
  assert.match((await backhaul('ping')).stdout, /^backhauld .* \(user mode, pid \d+\) answers at /)
  assert.equal((await json('ping')).socket, daemon.socket)
  assert.equal((await json('stats')).limits.jobsPerUser, 60)
  assert.match((await backhaul('stats')).stdout, /^jobs /)
})

test('watch --json prints one event per line until Ctrl-C', async () => {
  const { child, ended } = begin('watch', '--json', '--application', 'watched')
  let seen = ''
  child.stdout?.on('data', (bytes: Buffer) => { seen += bytes.toString() })
  // The watch has begun at some moment; jobs are made until it tells of one.
  await using client = await connect({ socket: daemon.socket })
  await until(async () => {
    await (await client.createJob({ displayName: 'w', application: 'watched' })).cancel()
    return seen.includes('"ended"')
  }, 'an event')
  child.kill('SIGINT')
  const { exitCode, stdout } = await ended
  assert.equal(exitCode, 130)
  const kinds = stdout.trimEnd().split('\n').map((line) => (JSON.parse(line) as { kind: string }).kind)
  assert.ok(kinds.includes('created') && kinds.includes('ended'), kinds.join())
})

test('a reader of stdout that goes away is no crash', async () => {
  const { child, ended } = begin('list', '--json')
  child.stdout?.destroy()
  const { exitCode, stderr } = await ended
  assert.deepEqual([exitCode, stderr], [0, ''])
})
