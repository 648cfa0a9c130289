import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from './client.ts'
import { Refusal } from '../protocol/refusals.ts'
import { startScriptedDaemon, until, type ScriptedConnection } from './test/scripted-daemon.ts'

function isRefusal(kind: string): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.kind === kind
}

test('where nobody listens, connecting is refused with no-daemon', async () => {
  await assert.rejects(connect({ socket: '/nonexistent/backhaul.sock' }), isRefusal('no-daemon'))
})

test('a call that changes something fails with connection-closed when its answer is lost, and is not sent again', async (t) => {
  const daemon = await startScriptedDaemon({ 'job.suspend': (_, connection) => { connection.lose(); return {} }, 'system.ping': () => ({}) })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  await assert.rejects(client.job('x').suspend(), isRefusal('connection-closed'))
  await client.ping()
  assert.deepEqual(daemon.calls.map(({ method }) => method), ['job.suspend', 'system.ping'])
})

test('a read, and a creation with a client token, are sent again over the next connection', async (t) => {
  const lost = new Set<string>()
  const loseOnce = (name: string, connection: ScriptedConnection): unknown => {
    if (!lost.has(name)) connection.lose()
    lost.add(name)
    return name === 'job.create' ? { job: { id: 'made' }, created: true } : { jobs: [], nextCursor: null }
  }
  const daemon = await startScriptedDaemon({ 'job.list': (_, c) => loseOnce('job.list', c), 'job.create': (_, c) => loseOnce('job.create', c) })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  for await (const job of client.listJobs()) assert.fail(job.id)
  assert.equal((await client.createJob({ displayName: 'a', clientToken: 'once' })).id, 'made')
  assert.deepEqual(daemon.calls.map(({ method }) => method), ['job.list', 'job.list', 'job.create', 'job.create'])
})

test('an answer may nest deeper than a call', async (t) => {
  const deep = JSON.parse(`${'['.repeat(100)}1${']'.repeat(100)}`) as unknown
  const daemon = await startScriptedDaemon({ 'rpc.discover': () => ({ openrpc: '1', deep }) })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  assert.deepEqual(await client.discover(), { openrpc: '1', deep })
})

test('a call made while disconnected waits for the daemon to come back', async (t) => {
  const daemon = await startScriptedDaemon({ 'job.cancel': () => ({ job: { id: 'x', state: 'cancelled' } }) })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  const seen: string[] = []
  client.on('disconnected', () => seen.push('disconnected'))
  client.on('connected', () => seen.push('connected'))
  await daemon.stop()
  await until(() => !client.isConnected, 'the loss of the connection')
  const cancelled = client.job('x').cancel()
  await daemon.start()
  assert.equal((await cancelled).state, 'cancelled')
  assert.deepEqual(seen, ['disconnected', 'connected'])
})

test('a call made while disconnected is refused with no-daemon when the daemon stays away', async (t) => {
  const daemon = await startScriptedDaemon({})
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket, reconnectTimeoutSeconds: 0.05 })
  await daemon.stop()
  await until(() => !client.isConnected, 'the loss of the connection')
  await assert.rejects(client.ping(), isRefusal('no-daemon'))
})

test('closing fails what is pending with connection-closed, and what comes later', async (t) => {
  const daemon = await startScriptedDaemon({ 'job.wait': () => new Promise(() => {}) })
  t.after(() => daemon.close())
  const client = await connect({ socket: daemon.socket })
  const waiting = client.job('x').wait()
  await until(() => daemon.calls.length === 1, 'the call')
  client.close()
  client.close()
  await assert.rejects(waiting, isRefusal('connection-closed'))
  await assert.rejects(client.ping(), isRefusal('connection-closed'))
  await until(() => daemon.connections.size === 0, 'the end of the connection')
})

test('without reconnect, a lost connection closes the client', async (t) => {
  const daemon = await startScriptedDaemon({})
  t.after(() => daemon.close())
  const client = await connect({ socket: daemon.socket, reconnect: false })
  const closed = new Promise<void>((resolve) => { client.on('closed', resolve) })
  for (const connection of daemon.connections) connection.lose()
  await closed
  assert.equal(client.isClosed, true)
  await assert.rejects(client.ping(), isRefusal('connection-closed'))
})

test('an aborted call rejects with the reason of its signal, and the connection goes on', async (t) => {
  const daemon = await startScriptedDaemon({ 'job.wait': () => new Promise(() => {}), 'system.ping': () => ({}) })
  t.after(() => daemon.close())
  await using client = await connect({ socket: daemon.socket })
  const stop = new AbortController()
  const waiting = client.job('x').wait({ signal: stop.signal })
  await until(() => daemon.calls.length === 1, 'the call')
  stop.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  await client.ping()
})
