import assert from 'node:assert/strict'
import { after, afterEach, test } from 'node:test'
import { Daemon, until } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'
import { Program, settledJob, type Told } from './support/program.ts'
import { onlyRoot, openUsers } from './support/users.ts'

const origin = await startOrigin()
origin.route('/file', { body: Buffer.alloc(100, 1) })
const open: Program[] = []
afterEach(() => { for (const program of open.splice(0)) program.close() })
after(() => origin.close())

/** Answers when it is told to. */
class Held {
  readonly calls: { readonly told: Told; readonly release: () => void }[] = []

  readonly answer = (told: Told): Promise<object> => new Promise((resolve) => {
    this.calls.push({ told, release: () => resolve({}) })
  })

  releaseOne(): void {
    this.calls.shift()?.release()
  }
}

test('four calls of a user are under way at once, over all his endpoints, and the fifth waits for an answer', async () => {
  const daemon = await Daemon.start()
  try {
    const [one, two] = [Program.open(daemon.socket), Program.open(daemon.socket)]
    open.push(one, two)
    const held = new Held()
    one.answer = two.answer = held.answer
    for (const [program, application] of [[one, 'one'], [two, 'two']] as const) {
      await Promise.all(Array.from({ length: 4 }, () => settledJob(program, { urls: [origin.url('/file')], folder: daemon.files, application })))
    }
    await one.register({ application: 'one' })
    await until(() => held.calls.length === 4, 'the first four')
    assert.equal((await two.register({ application: 'two' })).replayed, 4)
    // Whatever else the daemon had to say comes before these answers.
    for (let round = 0; round < 5; round++) await Promise.all([one.call('system.ping', {}), two.call('system.ping', {})])
    assert.deepEqual([one.told.length, two.told.length], [4, 0])
    for (let told = 5; told <= 8; told++) {
      held.releaseOne()
      await until(() => one.told.length + two.told.length === told, 'the next')
      await two.call('system.ping', {})
      assert.equal(one.told.length + two.told.length, told)
    }
  } finally {
    await daemon.close()
  }
})

test('a user whose program never answers delays no other user', { skip: onlyRoot }, async () => {
  const users = openUsers()
  const daemon = await Daemon.start({ mode: 'system' })
  try {
    const [deaf, busy] = [users.make('deaf'), users.make('busy')]
    const programs = [Program.open(daemon.socket, deaf), Program.open(daemon.socket, busy)] as const
    open.push(...programs)
    const held = new Held()
    programs[0].answer = held.answer
    for (const [at, program] of programs.entries()) {
      const folder = [deaf, busy][at]?.home ?? ''
      await Promise.all(Array.from({ length: 6 }, () => settledJob(program, { urls: [origin.url('/file')], folder })))
      await program.register({ all: true })
    }
    await programs[1].toldOf(6)
    assert.equal(held.calls.length, 4)
    assert.equal(programs[0].told.length, 4)
  } finally {
    await daemon.close()
    await users.gone()
    users.close()
  }
})

test("a user is told nothing of another's jobs, and may not name them", { skip: onlyRoot }, async () => {
  const users = openUsers()
  const daemon = await Daemon.start({ mode: 'system' })
  try {
    const [mine, his] = [users.make('mine'), users.make('his')]
    const programs = [Program.open(daemon.socket, mine), Program.open(daemon.socket, his), Program.open(daemon.socket)] as const
    open.push(...programs)
    const [me, he, admin] = programs
    const jobId = await settledJob(me, { urls: [origin.url('/file')], folder: mine.home, application: 'shared' })
    await assert.rejects(he.register({ jobIds: [jobId] }), { kind: 'job-not-found' })
    await assert.rejects(he.call('events.watch', { jobIds: [jobId] }), { kind: 'job-not-found' })
    await assert.rejects(he.call('events.watch', { owner: 'all' }), { kind: 'access-denied' })
    assert.equal((await he.register({ application: 'shared' })).replayed, 0)
    assert.equal((await he.register({ all: true })).replayed, 0)
    await he.call('events.watch', {})
    assert.equal((await admin.register({ all: true })).replayed, 0)
    const { registrationId, replayed } = await admin.register({ jobIds: [jobId] })
    assert.equal(replayed, 1)
    await admin.toldOf(1)
    await assert.rejects(he.call('callback.unregister', { registrationId }), { kind: 'registration-not-found' })
    await me.call('job.update', { jobId, set: { displayName: 'still mine' } })
    await he.call('system.ping', {})
    assert.deepEqual([he.told, he.shown], [[], []])
  } finally {
    await daemon.close()
    await users.gone()
    users.close()
  }
})
