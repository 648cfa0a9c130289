// Whatever lies in the place of a local name or of its temporary file, and however it is swapped while the transfer runs: the
// service never writes where the owner could not, never reads what he could not, and never goes through another user's link.
// With fs.protected_symlinks at 0 and at 1, where it may be set.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, linkSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Job } from '../../protocol/job.ts'
import { startOrigin, type Origin } from './support/origin.ts'
import { startSystemDaemon, type SystemDaemon } from './support/system-daemon.ts'
import { as, callAs, onlyRoot, openUsers, type TestCaller, type User, type Users } from './support/users.ts'

let users: Users
let ann: User
let bob: User
let daemon: SystemDaemon
let origin: Origin
let caller: TestCaller
let rootOnly = ''
let sticky = ''
let secret = ''
const body = Buffer.alloc(100_000, 'new')
const protection = '/proc/sys/fs/protected_symlinks'

before(async () => {
  if (onlyRoot !== false) return
  users = openUsers()
  ann = users.make('ann')
  bob = users.make('bob')
  rootOnly = join(users.folder, 'root-only')
  mkdirSync(rootOnly, { mode: 0o755 })
  secret = join(rootOnly, 'secret')
  writeFileSync(secret, 'old', { mode: 0o600 })
  sticky = join(users.folder, 'sticky')
  mkdirSync(sticky)
  chmodSync(sticky, 0o1777)
  origin = await startOrigin()
  origin.route('/file', { body })
  origin.route('/slow', { body, pace: { bytes: 20_000, everyMs: 20 } })
  daemon = await startSystemDaemon()
  caller = callAs(daemon.socket, ann)
})

after(async () => {
  if (onlyRoot !== false) return
  await caller?.close()
  await daemon?.close()
  await origin?.close()
  users?.close()
})

async function create(localName: string, path = '/file'): Promise<string> {
  const { job } = await caller.call('job.create', { displayName: 'attack', priority: 'foreground', files: [{ remoteName: origin.url(path), localName }] })
  return job.id
}

async function run(jobId: string): Promise<Job> {
  await caller.call('job.resume', { jobId })
  return (await caller.call('job.wait', { jobId, states: ['transferred', 'error', 'transient-error'], timeoutSeconds: 20 })).job
}

/** Runs to the end; answers how it went: `done`, a failure's code, or the codes of `publish-failed`. */
async function outcome(jobId: string): Promise<string> {
  const job = await run(jobId)
  const how = job.state !== 'transferred' ? job.error?.code ?? job.state : await caller.call('job.complete', { jobId }).then(() => 'done', (error: { data: { files?: { code: string }[] } }) => String(error.data.files?.[0]?.code))
  await caller.call('job.cancel', { jobId }).catch(() => {})
  return how
}

/** The temporary name that the daemon will use, which only the owner and root can know. */
function temporaryName(jobId: string): string {
  return `BH${jobId.replaceAll('-', '').slice(0, 16)}00.tmp`
}

function untouched(): void {
  assert.equal(readFileSync(secret, 'utf8'), 'old')
  assert.equal(lstatSync(secret).mode & 0o7777, 0o600)
  assert.deepEqual(execFileSync('ls', ['-A', rootOnly], { encoding: 'utf8' }).trim().split('\n'), ['secret'])
}

for (const protect of ['0', '1']) {
  const name = `with fs.protected_symlinks=${protect}`
  test(`links, second names, pipes and devices lead nowhere, ${name}`, { skip: onlyRoot }, async (context) => {
    const before = readFileSync(protection, 'utf8')
    try {
      writeFileSync(protection, protect)
    } catch {
      // In a container it is not ours to set.
      return context.skip('fs.protected_symlinks cannot be set here')
    }
    context.after(() => writeFileSync(protection, before))
    await context.test('a link in the last place is replaced, not followed', async () => {
      const local = join(ann.home, `final${protect}`)
      as(ann, () => symlinkSync(secret, local))
      assert.equal(await outcome(await create(local)), 'done')
      assert.ok(lstatSync(local).isFile())
      assert.deepEqual(readFileSync(local), body)
    })
    await context.test('a dangling link makes no file at its end', async () => {
      const local = join(ann.home, `dangling${protect}`)
      as(ann, () => symlinkSync(join(rootOnly, 'made'), local))
      assert.equal(await outcome(await create(local)), 'done')
      assert.ok(lstatSync(local).isFile())
    })
    await context.test('a link in the middle reaches only what its owner could reach', async () => {
      as(ann, () => symlinkSync(rootOnly, join(ann.home, `middle${protect}`)))
      assert.equal(await outcome(await create(join(ann.home, `middle${protect}`, 'made'))), 'access-denied')
      as(ann, () => symlinkSync(bob.home, join(ann.home, `to-bob${protect}`)))
      assert.equal(await outcome(await create(join(ann.home, `to-bob${protect}`, 'made'))), 'access-denied')
    })
    await context.test('a link in the place of the temporary file is not followed', async () => {
      const jobId = await create(join(ann.home, `t${protect}`))
      as(ann, () => symlinkSync(secret, join(ann.home, temporaryName(jobId))))
      assert.equal(await outcome(jobId), 'not-a-regular-file')
      unlinkSync(join(ann.home, temporaryName(jobId)))
    })
    await context.test('a second name of another file in the place of the temporary file is not written', async () => {
      const jobId = await create(join(ann.home, `h${protect}`))
      linkSync(secret, join(ann.home, temporaryName(jobId)))
      assert.match(await outcome(jobId), /^(access-denied|not-a-regular-file)$/)
      unlinkSync(join(ann.home, temporaryName(jobId)))
      const own = join(ann.home, `own${protect}`)
      as(ann, () => writeFileSync(own, 'own'))
      const second = await create(join(ann.home, `i${protect}`))
      linkSync(own, join(ann.home, temporaryName(second)))
      assert.equal(await outcome(second), 'not-a-regular-file')
      assert.equal(readFileSync(own, 'utf8'), 'own')
      rmSync(join(ann.home, temporaryName(second)), { force: true })
    })
    await context.test('a pipe, a device, a socket and a folder in its place are refused without waiting', async () => {
      for (const make of [['mkfifo'], ['mknod', 'c', '1', '5'], ['mkdir']]) {
        const jobId = await create(join(ann.home, `s${protect}`))
        const place = join(ann.home, temporaryName(jobId))
        const [command = '', ...rest] = make
        execFileSync(command, [place, ...rest])
        chownSync(place, ann.uid, ann.gid)
        assert.match(await outcome(jobId), /^(not-a-regular-file|access-denied|local-file-error)$/, make.join(' '))
        rmSync(place, { recursive: true, force: true })
      }
    })
    await context.test('in a sticky folder nothing of another user is used', async () => {
      for (const plant of [
        (place: string) => symlinkSync(join(bob.home, 'his'), place),
        (place: string) => symlinkSync(join(ann.home, 'hers'), place),
        (place: string) => writeFileSync(place, 'his', { mode: 0o666 }),
      ]) {
        const jobId = await create(join(sticky, `x${protect}`))
        const place = join(sticky, temporaryName(jobId))
        as(bob, () => plant(place))
        assert.match(await outcome(jobId), /^(access-denied|not-a-regular-file)$/)
        rmSync(place)
      }
      // A link of his in the middle leads into a folder of hers, where he may not write and she may.
      as(bob, () => symlinkSync(ann.home, join(sticky, 'folder')))
      assert.equal(await outcome(await create(join(sticky, 'folder', 'hers'))), 'access-denied')
      rmSync(join(sticky, 'folder'))
      // Under the local name itself lies his link: a sticky folder does not let her replace it.
      as(bob, () => symlinkSync(join(ann.home, 'hers'), join(sticky, 'taken')))
      assert.equal(await outcome(await create(join(sticky, 'taken'))), 'access-denied')
      rmSync(join(sticky, 'taken'))
      assert.ok(!existsSync(join(ann.home, 'hers')) && !existsSync(join(bob.home, 'his')))
    })
    untouched()
  })
}

test('what is exchanged while the transfer runs is not published', { skip: onlyRoot }, async () => {
  const exchanges: readonly ((place: string) => void)[] = [
    (place) => symlinkSync(secret, place),
    (place) => linkSync(secret, place),
    (place) => writeFileSync(place, Buffer.alloc(body.length, 'evil')),
    (place) => execFileSync('mkfifo', [place]),
  ]
  for (const exchange of exchanges) {
    const jobId = await create(join(ann.home, 'exchanged'), '/slow')
    const waiting = run(jobId)
    const place = join(ann.home, temporaryName(jobId))
    while (!existsSync(place)) await new Promise((resolve) => setTimeout(resolve, 2))
    unlinkSync(place)
    exchange(place)
    const job = await waiting
    if (job.state === 'transferred') await assert.rejects(caller.call('job.complete', { jobId }), { kind: 'publish-failed' })
    assert.ok(!existsSync(join(ann.home, 'exchanged')))
    await caller.call('job.cancel', { jobId })
    rmSync(place, { force: true })
  }
  untouched()
})

test('a folder exchanged for a link in a loop never leads a file elsewhere', { skip: onlyRoot }, async () => {
  const folder = join(ann.home, 'swapped')
  const aside = join(ann.home, 'aside')
  as(ann, () => mkdirSync(folder))
  // Another process swaps as fast as it can while jobs begin, move and are completed.
  const swapper = execSwapper(folder, aside)
  const outcomes: string[] = []
  for (let count = 0; count < 40; count++) outcomes.push(await outcome(await create(join(folder, `f${count}`), count % 2 ? '/slow' : '/file')))
  await swapper.stop()
  assert.ok(outcomes.some((how) => how === 'done') || outcomes.length === 40)
  assert.deepEqual(outcomes.filter((how) => !/^(done|access-denied|folder-not-found|not-a-regular-file|local-file-changed|local-file-error)$/.test(how)), [])
  untouched()
})

function execSwapper(folder: string, aside: string): { stop(): Promise<void> } {
  let stopping = false
  const swap = (): void => as(ann, () => {
    renameSync(folder, aside)
    symlinkSync(rootOnly, folder)
    unlinkSync(folder)
    symlinkSync(bob.home, folder)
    unlinkSync(folder)
    renameSync(aside, folder)
  })
  const half = (): void => as(ann, () => {
    renameSync(folder, aside)
    symlinkSync(rootOnly, folder)
  })
  const back = (): void => as(ann, () => {
    unlinkSync(folder)
    renameSync(aside, folder)
  })
  const ended = (async () => {
    while (!stopping) {
      for (let count = 0; count < 20; count++) swap()
      half()
      await new Promise(setImmediate)
      back()
      await new Promise(setImmediate)
    }
  })()
  return { stop: async () => { stopping = true; await ended } }
}

test('links of root and of the owner in the path are followed, one of another user is not by root', { skip: onlyRoot }, async () => {
  const folder = join(users.folder, 'through')
  mkdirSync(folder)
  chmodSync(folder, 0o777)
  symlinkSync(ann.home, join(folder, 'by-root'))
  as(ann, () => symlinkSync('../through/by-root', join(folder, 'by-ann')))
  assert.equal(await outcome(await create(join(folder, 'by-ann', 'linked'))), 'done')
  assert.deepEqual(readFileSync(join(ann.home, 'linked')), body)
  as(ann, () => symlinkSync('/etc', join(ann.home, 'etc')))
  const root = callAs(daemon.socket, null)
  const { job } = await root.call('job.create', { displayName: 'x', resume: true, priority: 'foreground', files: [{ remoteName: origin.url('/file'), localName: join(ann.home, 'etc', 'backhaul-test') }] })
  const { job: ended } = await root.call('job.wait', { jobId: job.id, timeoutSeconds: 20 })
  await root.close()
  assert.equal(ended.error?.code, 'access-denied')
})

test('names that are none, and what is read from devices and from the kernel, are refused', { skip: onlyRoot }, async () => {
  for (const localName of ['relative', '/', '/tmp/', '/tmp/../etc/passwd', '/tmp/a\u0000b', `/${'a'.repeat(5000)}`, '//./']) {
    await assert.rejects(create(localName), { kind: 'invalid-params' }, localName)
  }
  assert.match(await outcome(await create(`/tmp/${'a'.repeat(300)}`)), /^name-too-long$/)
  for (const localName of ['/etc/cron.d/x', '/dev/zero', '/proc/self/mem', '/root/x', '/sys/kernel/x', '/dev/x']) {
    assert.match(await outcome(await create(localName)), /^(access-denied|folder-not-found|not-a-regular-file|local-file-error)$/, localName)
  }
  untouched()
})
