import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from './client.ts'
import { Refusal } from '../protocol/refusals.ts'
import { startScriptedDaemon, until } from './test/scripted-daemon.ts'

const event = (watchId: string, cursor: string): object => ({ watchId, cursor, kind: 'state', at: 0, job: null })

test('a watch sees what came before the answer that names it, and goes on from its cursor after a reconnect', async (t) => {
  let count = 0
  const daemon = await startScriptedDaemon({
    'events.watch': (_, { peer }) => {
      const watchId = `w${++count}`
      peer.notify('events.event', event(watchId, `c${count}`))
      return { watchId, cursor: 'c0' }
    },
    'events.unwatch': () => ({}),
  })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  const watch = client.watch({ application: 'a' })
  const seen: string[] = []
  for await (const { cursor } of watch) {
    seen.push(cursor)
    if (seen.length === 1) for (const connection of daemon.connections) connection.lose()
    if (seen.length === 2) break
  }
  assert.deepEqual(seen, ['c1', 'c2'])
  assert.deepEqual(daemon.calls.map(({ method, params }) => [method, params['after']]), [['events.watch', undefined], ['events.watch', 'c1'], ['events.unwatch', undefined]])
})

test('a watch that is refused throws the refusal at its reader', async (t) => {
  const daemon = await startScriptedDaemon({})
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  await assert.rejects(async () => { for await (const _ of client.watch()) assert.fail('nothing to see') },
    (error) => error instanceof Refusal && error.kind === 'method-not-found')
})

test('the signal ends a watch without an error', async (t) => {
  const daemon = await startScriptedDaemon({ 'events.watch': () => ({ watchId: 'w', cursor: 'c' }), 'events.unwatch': () => ({}) })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  const stop = new AbortController()
  const reading = (async () => { for await (const _ of client.watch({ signal: stop.signal })) assert.fail('nothing to see') })()
  await until(() => daemon.calls.length === 1, 'the call')
  stop.abort()
  await reading
})

test('a reader that is too slow is told how many events it missed', async (t) => {
  const daemon = await startScriptedDaemon({
    'events.watch': (_, { peer }) => {
      setImmediate(() => { for (let at = 1; at <= 4099; at++) peer.notify('events.event', event('w', `c${at}`)) })
      return { watchId: 'w', cursor: 'c0' }
    },
    'events.unwatch': () => ({}),
  })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  const watch = client.watch()
  await until(() => watch.cursor === 'c4099', 'the last event')
  for await (const { cursor, lagged } of watch) {
    assert.deepEqual([cursor, lagged], ['c4', 3])
    break
  }
})
