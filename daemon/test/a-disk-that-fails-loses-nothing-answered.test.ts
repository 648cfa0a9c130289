// Errors of the disk, under the queue and under the files: what cannot be written is refused or fails, nothing is promised
// that is not there, and nothing that was refused shows up later.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { Daemon, isRoot, until } from './support/daemon.ts'
import { judge } from './support/judge.ts'
import { startMixedOrigin } from './support/mixed-origin.ts'
import type { RawClient } from './support/raw-client.ts'
import { Chance, rounds, seed } from './support/seed.ts'
import { remembersAll, Session } from './support/session.ts'
import { inject, needsStrace, type Injection } from './support/strace.ts'

const { origin, bodies } = await startMixedOrigin()
after(() => origin.close())
const expected = ['storage-full', 'publish-failed', 'error']
const paths = ['/small', '/large', '/changing']
const needsTmpfs = isRoot && process.platform === 'linux' ? false : 'needs root on Linux to mount a small disk'

/** A small disk, gone with the test. */
function mountSmall(t: TestContext, size: string): string {
  const disk = mkdtempSync(join(tmpdir(), 'backhaul-small-'))
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', disk]).status, 0)
  t.after(() => {
    spawnSync('umount', ['-l', disk])
    rmdirSync(disk)
  })
  return disk
}

interface Answers {
  readonly made: string[]
  readonly refused: string[]
  slowestMs: number
}

/** Makes jobs one after another; who they are tells which are there later. */
async function makeJobs(client: RawClient, count: number, name: string): Promise<Answers> {
  const answers: Answers = { made: [], refused: [], slowestMs: 0 }
  for (let at = 0; at < count; at++) {
    const displayName = `${name} ${at}`
    const from = performance.now()
    const { error } = await client.ask('job.create', { displayName, description: 'x'.repeat(1000) })
    answers.slowestMs = Math.max(answers.slowestMs, performance.now() - from)
    if (error) assert.equal(error.data.kind, 'storage-full')
    if (error) answers.refused.push(displayName)
    else answers.made.push(displayName)
  }
  return answers
}

async function namesOf(client: RawClient): Promise<string[]> {
  return (await client.call('job.list', { limit: 1000 })).jobs.map(({ displayName }) => displayName)
}

test('while the disk of the queue is full changes are refused and reads answered; afterwards all goes on', { skip: needsTmpfs }, async (t) => {
  const disk = mountSmall(t, '3m')
  const daemon = Daemon.make({ state: join(disk, 'state') })
  t.after(() => daemon.close())
  await daemon.start()
  const client = await daemon.client()
  const before = await makeJobs(client, 30, 'before')
  const { job: ended } = await client.call('job.create', { displayName: 'ended' })
  await client.call('job.cancel', { jobId: ended.id })
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, Buffer.alloc(Math.max(0, statfsSync(disk).bavail * 4096 - 20_000)))
  const during = await makeJobs(client, 100, 'during')
  assert.ok(during.refused.length > 50, `${during.refused.length} were refused`)
  assert.ok(during.slowestMs < 10_000, 'a refusal waits for nothing')
  assert.equal((await client.call('job.get', { jobId: ended.id })).job.state, 'cancelled')
  assert.equal((await client.call('job.list', { states: ['cancelled'] })).jobs.length, 1)
  assert.deepEqual((await namesOf(client)).sort(), [...before.made, ...during.made].sort())
  rmSync(ballast)
  await until(async () => !(await client.ask('job.create', { displayName: 'again' })).error, 'the queue takes changes again')
  const afterwards = await makeJobs(client, 100, 'after')
  assert.deepEqual(afterwards.refused, [])
  const known = [...before.made, ...during.made, 'again', ...afterwards.made].sort()
  assert.deepEqual((await namesOf(client)).sort(), known)
  assert.deepEqual((await namesOf(await daemon.restart())).sort(), known)
  assert.doesNotMatch(daemon.said, /"a defect/)
})

/** A session with faults, then without, then after a kill -9. */
async function withFaults(t: TestContext, who: 'broker' | 'worker', injections: readonly Injection[]): Promise<void> {
  const daemon = await Daemon.start({ environment: { UV_THREADPOOL_SIZE: '1' }, config: `${remembersAll}[callbacks]\nretrySeconds = 0.1\n` })
  t.after(() => daemon.close())
  const session = new Session({ origin, paths, folder: daemon.files, chance: new Chance(seed), lanes: 2, expected })
  const failed = new Set<string>()
  for (const injection of injections) {
    const what = `seed ${seed}, ${who}, ${injection.call} ${injection.fault} ${injection.when}`
    const program = await session.connect(daemon.socket)
    if (who === 'worker') await wakeWorker(daemon)
    const pid = who === 'broker' ? daemon.pid : daemon.workers()[0] ?? 0
    const { detach } = await inject(pid, injection.isPoolOnly && injection.call === 'write' ? { ...injection, path: writeLogOf(daemon) } : injection)
    const enough = session.answered + session.refusals.length + 25
    await session.run(program, () => session.answered + session.refusals.length >= enough)
    assert.deepEqual(await judge(session, program, bodies), [], what)
    // Half of the kills come while the disk still fails.
    if (session.options.chance.is(0.5)) {
      await detach()
      assert.deepEqual(await judge(session, program, bodies), [], `${what}, without faults`)
    }
    for (const { kind } of session.refusals.splice(0)) failed.add(kind)
    program.close()
    await daemon.kill9()
    await detach()
    await daemon.start()
    const witness = await session.connect(daemon.socket)
    assert.deepEqual(await judge(session, witness, bodies), [], `${what}, after kill -9`)
    witness.close()
  }
  const program = await session.connect(daemon.socket)
  await session.finish(program)
  assert.deepEqual(await judge(session, program, bodies), [], `seed ${seed}, at the end`)
  program.close()
  t.diagnostic(`${session.notes.length} jobs, ${session.answered} answers, refusals: ${[...failed].join()}`)
  assert.doesNotMatch(daemon.said, /"a defect|changes of the queue were lost/)
}

function writeLogOf(daemon: Daemon): string {
  const queue = join(daemon.state, 'queue')
  return join(queue, readdirSync(queue).filter((name) => name.endsWith('.log')).sort().at(-1) ?? '')
}

async function wakeWorker(daemon: Daemon): Promise<void> {
  const client = await daemon.client()
  const files = [{ remoteName: origin.url('/small'), localName: join(daemon.files, 'wake-small') }]
  const { job } = await client.call('job.create', { displayName: 'wakes', resume: true, files })
  await client.call('job.wait', { jobId: job.id })
  await client.call('job.cancel', { jobId: job.id })
}

/** A few of them, or for torture as many at random. */
function some(few: readonly Injection[], calls: readonly string[]): Injection[] {
  const chance = new Chance(seed)
  const any = (): Injection => {
    const at = chance.below(30) + 1
    const [fault, when] = chance.of([['error=EIO', `${at}`], ['error=ENOSPC', `${at}`], ['error=EIO', `${at}+`]] as const)
    return { call: chance.of(calls), fault, when, isPoolOnly: true }
  }
  return rounds(0) === 0 ? [...few] : Array.from({ length: rounds(0) }, any)
}

test('where writing the queue fails, nothing is promised that is not there, and nothing that was refused shows up', { skip: needsStrace }, async (t) => {
  await withFaults(t, 'broker', some([
    { call: 'fdatasync', fault: 'error=EIO', when: '4', isPoolOnly: true },
    { call: 'fdatasync', fault: 'error=EIO', when: '3+', isPoolOnly: true },
    { call: 'write', fault: 'error=ENOSPC', when: '5..7', isPoolOnly: true },
    { call: 'rename', fault: 'error=EIO', when: '1+', isPoolOnly: true },
  ], ['fdatasync', 'write', 'fsync', 'rename', 'openat', 'unlink']))
})

test('where writing a file fails, its job says so and goes on when it is resumed', { skip: needsStrace }, async (t) => {
  await withFaults(t, 'worker', some([
    { call: 'pwrite64', fault: 'error=EIO', when: '2+' },
    { call: 'fdatasync', fault: 'error=EIO', when: '1+' },
    { call: 'rename', fault: 'error=ENOSPC', when: '1' },
  ], ['pwrite64', 'fdatasync', 'fsync', 'rename', 'openat', 'ftruncate', 'unlink', 'fchmod']).map((injection) => ({ ...injection, isPoolOnly: false })))
})

test('a full disk under a file is said as such', { skip: needsTmpfs }, async (t) => {
  const disk = mountSmall(t, '1m')
  const daemon = await Daemon.start()
  t.after(() => daemon.close())
  const client = await daemon.client()
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, Buffer.alloc(900_000))
  const localName = join(disk, 'file')
  const { job } = await client.call('job.create', { displayName: 'large', resume: true, files: [{ remoteName: origin.url('/changing'), localName }] })
  await client.call('job.wait', { jobId: job.id, timeoutSeconds: 20 })
  const { error } = (await client.call('job.get', { jobId: job.id })).job
  assert.deepEqual([error?.context, error?.code], ['local-file', 'disk-full'])
  rmSync(ballast)
  await client.call('job.resume', { jobId: job.id })
  await client.call('job.wait', { jobId: job.id, timeoutSeconds: 20 })
  await client.call('job.complete', { jobId: job.id })
  assert.ok(bodies.get('changing')?.some((body) => body.equals(readFileSync(localName))))
})
