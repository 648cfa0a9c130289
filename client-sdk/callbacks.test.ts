import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from './client.ts'
import { Refusal } from '../protocol/refusals.ts'
import { startScriptedDaemon, until } from './test/scripted-daemon.ts'

const delivery = { deliveryId: 'd1', sequence: 7, attempt: 1, job: { id: 'job-1', displayName: 'a' } }

test('a callback that comes before the answer to the registering reaches its handler', async (t) => {
  const acknowledged: unknown[] = []
  const daemon = await startScriptedDaemon({
    'callback.register': (_, { peer }) => {
      // The answer is sent when this returns, so the call is on the wire first.
      void peer.request('callback.jobTransferred', { registrationId: 'r1', ...delivery }).then((result) => acknowledged.push(result))
      return { registrationId: 'r1', replayed: 1 }
    },
    'callback.unregister': () => ({}),
  })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  const seen: unknown[] = []
  const registration = await client.callbacks({ application: 'a' }, { jobTransferred: (job, call) => void seen.push([job.id, call]) })
  await until(() => acknowledged.length === 1, 'the acknowledgement')
  assert.equal(registration.replayed, 1)
  assert.deepEqual(seen, [['job-1', { registrationId: 'r1', deliveryId: 'd1', sequence: 7, attempt: 1 }]])
  assert.deepEqual(daemon.calls[0]?.params, { application: 'a', events: ['transferred'] })
})

test('the daemon is answered when the handler is done, and with an error when it throws', async (t) => {
  const daemon = await startScriptedDaemon({ 'callback.register': () => ({ registrationId: 'r1', replayed: 0 }), 'system.ping': () => ({}) })
  t.after(() => daemon.close())
  const reported: unknown[] = []
  await using client = await connect({ socket: daemon.socket, onError: (error) => reported.push(error) })
  let isPinged = false
  await client.callbacks({ all: true }, {
    async jobTransferred() {
      await client.ping()
      isPinged = true
    },
    jobError() {
      throw new Error('not now')
    },
  })
  const [connection] = daemon.connections
  assert.deepEqual(await connection?.peer.request('callback.jobTransferred', { registrationId: 'r1', ...delivery }), {})
  assert.equal(isPinged, true)
  await assert.rejects(connection?.peer.request('callback.jobError', { registrationId: 'r1', ...delivery, error: {} }) ?? Promise.resolve(),
    (error) => error instanceof Refusal && error.kind === 'internal-error' && !error.message.includes('not now'))
  assert.match(String(reported[0]), /not now/)
})

test('several registrations of one connection are told apart, and an unknown one is refused', async (t) => {
  let count = 0
  const daemon = await startScriptedDaemon({ 'callback.register': () => ({ registrationId: `r${++count}`, replayed: 0 }), 'callback.unregister': () => ({}) })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  const seen: string[] = []
  await client.callbacks({ application: 'a' }, { jobTransferred: () => void seen.push('a') })
  const second = await client.callbacks({ jobIds: ['job-1'] }, { jobTransferred: () => void seen.push('b') })
  const [connection] = daemon.connections
  const call = (registrationId: string): Promise<unknown> => connection?.peer.request('callback.jobTransferred', { registrationId, ...delivery }) ?? Promise.resolve()
  await call('r2')
  await call('r1')
  assert.deepEqual(seen, ['b', 'a'])
  await second.close()
  await second.close()
  await assert.rejects(call('r2'), (error) => error instanceof Refusal && error.kind === 'registration-not-found')
})

test('after a reconnect the handlers are registered again', async (t) => {
  let count = 0
  const daemon = await startScriptedDaemon({ 'callback.register': () => ({ registrationId: `r${++count}`, replayed: 0 }) })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  const seen: string[] = []
  const registration = await client.callbacks({ application: 'a' }, { jobTransferred: (_, call) => void seen.push(call.registrationId) })
  await daemon.stop()
  await daemon.start()
  await until(() => registration.registrationId === 'r2', 'the second registering')
  const [connection] = daemon.connections
  await connection?.peer.request('callback.jobTransferred', { registrationId: 'r2', ...delivery })
  assert.deepEqual(seen, ['r2'])
})

test('an event kind without a handler cannot be asked for', async (t) => {
  const daemon = await startScriptedDaemon({})
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  await assert.rejects(client.callbacks({ all: true }, { jobTransferred() {} }, { events: ['error'] }),
    (error) => error instanceof Refusal && error.kind === 'invalid-params')
  assert.deepEqual(daemon.calls, [])
})
