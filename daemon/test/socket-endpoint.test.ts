import assert from 'node:assert/strict'
import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { Daemon, until } from './support/daemon.ts'
import { Program, refuse, settledJob } from './support/program.ts'
import { openService } from './support/service.ts'
import { onlyRoot, openUsers } from './support/users.ts'

const { daemon, origin } = await openService('[callbacks]\nretrySeconds = 0.02\nretryMaximumSeconds = 0.05\n')
const ends: (() => unknown)[] = []
afterEach(async () => { for (const end of ends.splice(0)) await end() })

interface Served {
  readonly path: string
  /** One for each time that somebody connected. */
  readonly programs: Program[]
}

async function serve(path: string, answer: Program['answer'] = () => ({})): Promise<Served> {
  const programs: Program[] = []
  const server = net.createServer((socket) => {
    const program = new Program(socket)
    program.answer = answer
    programs.push(program)
  })
  await new Promise<void>((resolve) => { server.listen(path, resolve) })
  ends.push(() => {
    for (const program of programs) program.close()
    return new Promise((resolve) => { server.close(resolve) })
  })
  return { path, programs }
}

function program(): Program {
  const made = Program.open(daemon.socket)
  ends.push(() => made.close())
  return made
}
const wanted = { urls: [origin.url('/file')], folder: daemon.files }
const socketPath = (name: string): string => join(daemon.folder, name)

test('a program is called on the socket that it serves, also after the connection that registered it is gone', async () => {
  const served = await serve(socketPath('one'))
  const one = program()
  const { registrationId } = await one.register({ application: 'served', endpoint: { kind: 'socket', path: served.path } })
  one.close()
  await one.closed()
  const jobId = await settledJob(program(), { ...wanted, application: 'served' })
  await until(() => served.programs[0]?.told.length === 1, 'the call')
  const told = served.programs[0]?.told[0]
  assert.deepEqual([told?.method, told?.job.id, told?.registrationId], ['callback.jobTransferred', jobId, registrationId])
})

test('an error on the socket makes the same delivery come again', async () => {
  const served = await serve(socketPath('errors'), ({ attempt }) => (attempt < 3 ? refuse() : {}))
  const jobId = await settledJob(program(), wanted)
  assert.equal((await program().register({ jobIds: [jobId], endpoint: { kind: 'socket', path: served.path } })).replayed, 1)
  await until(() => served.programs[0]?.told.length === 3, 'three calls')
  assert.equal(new Set(served.programs[0]?.told.map(({ deliveryId }) => deliveryId)).size, 1)
})

test('a program that starts again is told on the same registration what happened while its socket was away', async () => {
  const path = socketPath('restarted')
  await serve(path)
  const stop = ends.pop()
  const { registrationId } = await program().register({ application: 'restarted', endpoint: { kind: 'socket', path } })
  await stop?.()
  // Away for this event; the path is gone too.
  const jobId = await settledJob(program(), { ...wanted, application: 'restarted' })
  const served = await serve(path)
  await until(() => served.programs.some(({ told }) => told.length === 1), 'the call')
  const [told] = served.programs.flatMap((one) => one.told)
  assert.deepEqual([told?.registrationId, told?.job.id], [registrationId, jobId])
})

test('a connection that the program closes is made anew, and so is one that ended with its worker', async () => {
  const served = await serve(socketPath('closing'))
  await program().register({ application: 'closing', endpoint: { kind: 'socket', path: served.path } })
  served.programs[0]?.close()
  await settledJob(program(), { ...wanted, application: 'closing' })
  await until(() => served.programs.some(({ told }) => told.length === 1), 'the call')
  for (const worker of daemon.workers()) process.kill(worker, 'SIGKILL')
  await settledJob(program(), { ...wanted, application: 'closing' })
  await until(() => served.programs.flatMap(({ told }) => told).length === 2, 'the next call')
})

test('unregistering closes the connection to the socket', async () => {
  const served = await serve(socketPath('unregistered'))
  const one = program()
  const { registrationId } = await one.register({ all: true, endpoint: { kind: 'socket', path: served.path } })
  await one.call('callback.unregister', { registrationId })
  await served.programs[0]?.closed()
})

test('a path that leads to no socket, or where nobody listens, is refused as wrong params', async () => {
  const plain = socketPath('plain-file')
  writeFileSync(plain, '')
  const gone = await serve(socketPath('gone'))
  await ends.pop()?.()
  for (const path of [plain, socketPath('nothing-there'), daemon.folder, gone.path]) {
    const refusal = await program().register({ all: true, endpoint: { kind: 'socket', path } }).then(() => null, (error: { kind: string; data: { issues: { path: string[] }[] } }) => error)
    assert.equal(refusal?.kind, 'invalid-params', path)
    assert.deepEqual(refusal?.data.issues[0]?.path, ['endpoint', 'path'])
  }
})

test("a socket that is not the user's to connect to is refused, and one that is his is dialled with his rights", { skip: onlyRoot }, async () => {
  const users = openUsers()
  const system = await Daemon.start({ mode: 'system' })
  try {
    const user = users.make('dialled')
    const [secret, own] = [await serve(join(users.folder, 'secret')), await serve(join(users.folder, 'own'))]
    chmodSync(secret.path, 0o600)
    chmodSync(own.path, 0o600)
    chownSync(own.path, user.uid, user.gid)
    const one = Program.open(system.socket, user)
    ends.push(() => one.close())
    await assert.rejects(one.register({ all: true, endpoint: { kind: 'socket', path: secret.path } }), { kind: 'invalid-params' })
    assert.deepEqual(secret.programs, [])
    await one.register({ all: true, endpoint: { kind: 'socket', path: own.path } })
    await settledJob(one, { ...wanted, folder: user.home })
    await until(() => own.programs[0]?.told.length === 1, 'the call')
  } finally {
    await system.close()
    await users.gone()
    users.close()
  }
})
