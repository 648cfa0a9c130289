import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Daemon } from './support/daemon.ts'
import type { Answer, RawClient } from './support/raw-client.ts'

const daemon = await Daemon.start()
after(() => daemon.close())

const ping = (id: unknown): string => JSON.stringify({ jsonrpc: '2.0', id, method: 'system.ping' })

async function refused(client: RawClient, line: unknown): Promise<{ id: unknown; code: unknown; kind: unknown }> {
  const { id, error } = await client.exchange(line) as Answer
  return { id, code: error?.code, kind: error?.data.kind }
}

test('text that is not JSON is answered with -32700 and id null, and the connection stays open', async () => {
  const client = await daemon.client()
  for (const text of ['{', 'hello', '{"jsonrpc":"2.0","id":1,"method":"system.ping"', '\uFEFF' + ping(1), "{'a':1}", '[1,]', 'NaN', ping(1) + ping(2)]) {
    assert.deepEqual(await refused(client, text), { id: null, code: -32700, kind: 'parse-error' }, text)
  }
  await client.call('system.ping')
})

test('a line that is not UTF-8 is answered with -32700 and id null, and the connection stays open', async () => {
  const client = await daemon.client()
  for (const bytes of [[0xff, 0xfe], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
    const before = client.messages.length
    client.write(Buffer.from([...Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'), ...bytes, ...Buffer.from('"}\n')]))
    const { id, error } = await client.next(before) as Answer
    assert.deepEqual([id, error?.code], [null, -32700])
  }
  await client.call('system.ping')
})

test('JSON that is not a request is answered with -32600', async () => {
  const client = await daemon.client()
  const cases: readonly [unknown, unknown][] = [
    ['null', null], ['1', null], ['"text"', null], ['true', null], ['{}', null],
    [{ id: 1, method: 'system.ping' }, 1],
    [{ jsonrpc: '1.0', id: 2, method: 'system.ping' }, 2],
    [{ jsonrpc: '2.0', id: 3 }, 3],
    [{ jsonrpc: '2.0', id: 'four', method: 4 }, 'four'],
    [{ jsonrpc: '2.0', id: 5, method: 'system.ping', params: null }, 5],
    [{ jsonrpc: '2.0', id: 6, method: 'system.ping', params: 'text' }, 6],
    [{ jsonrpc: '2.0', id: 7, method: 'system.ping', params: 7 }, 7],
    [{ jsonrpc: '2.0', id: true, method: 'system.ping' }, null],
    [{ jsonrpc: '2.0', id: {}, method: 'system.ping' }, null],
    [{ jsonrpc: '2.0', id: [1], method: 'system.ping' }, null],
  ]
  for (const [line, id] of cases) assert.deepEqual(await refused(client, line), { id, code: -32600, kind: 'invalid-request' }, JSON.stringify(line))
  await client.call('system.ping')
})

test('ids of every kind come back as they were', async () => {
  const client = await daemon.client()
  for (const id of [0, -1, 1.5, 2 ** 53, '', 'text', '__proto__', 'ünï', null]) {
    assert.deepEqual(await client.exchange(ping(id)), { jsonrpc: '2.0', id, result: {} })
  }
})

test('a method that does not exist is answered with -32601, whatever name it has', async () => {
  const client = await daemon.client()
  for (const method of ['nothing', '', 'constructor', 'toString', '__proto__', 'hasOwnProperty', 'job.create ', 'Job.Create', 'rpc.on', 'callback.jobError']) {
    const { code, data } = await client.refusal(method, {})
    assert.deepEqual([code, data.kind, data.retryable], [-32601, 'method-not-found', false], method)
  }
})

test('notifications are never answered, not even wrong ones', async () => {
  const client = await daemon.client()
  client.send({ jsonrpc: '2.0', method: 'system.ping' })
  client.send({ jsonrpc: '2.0', method: 'nothing' })
  client.send({ jsonrpc: '2.0', method: 'job.get', params: { jobId: 7 } })
  client.send([{ jsonrpc: '2.0', method: 'system.ping' }, { jsonrpc: '2.0', method: 'nothing' }])
  client.send(ping('after'))
  assert.deepEqual(await client.next(0), { jsonrpc: '2.0', id: 'after', result: {} })
})

test('an answer nobody asked for is ignored', async () => {
  const client = await daemon.client()
  client.send({ jsonrpc: '2.0', id: 99, result: {} })
  client.send({ jsonrpc: '2.0', id: null, error: { code: 1, message: 'x' } })
  client.send(ping('after'))
  assert.deepEqual(await client.next(0), { jsonrpc: '2.0', id: 'after', result: {} })
})

test('a carriage return before the end of a line is tolerated, and empty lines are ignored', async () => {
  const client = await daemon.client()
  client.write(`\n\r\n\n${ping(1)}\r\n\n`)
  assert.deepEqual(await client.next(0), { jsonrpc: '2.0', id: 1, result: {} })
  await client.call('system.ping')
  assert.equal(client.messages.length, 2)
})

test('a line may come in pieces of one byte, and many lines in one piece', async () => {
  const client = await daemon.client()
  for (const byte of Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', id: 'ü€😀', method: 'system.ping' })}\n`)) {
    client.write(Buffer.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(await client.next(0), { jsonrpc: '2.0', id: 'ü€😀', result: {} })
  client.write(Array.from({ length: 500 }, (_, id) => `${ping(id)}\n`).join(''))
  await client.until(() => client.messages.length === 501, '500 answers')
})

test('a batch of 1 to 100 is answered in one line, another size with one -32600', async () => {
  const client = await daemon.client()
  const batch = (size: number): unknown[] => Array.from({ length: size }, (_, id) => ({ jsonrpc: '2.0', id, method: 'system.ping' }))
  for (const size of [1, 2, 100]) {
    const answers = await client.exchange(batch(size)) as readonly Answer[]
    assert.ok(Array.isArray(answers))
    assert.deepEqual(answers.map(({ id }) => id).sort((a, b) => Number(a) - Number(b)), batch(size).map((_, at) => at))
  }
  for (const size of [0, 101, 500]) assert.deepEqual(await refused(client, batch(size)), { id: null, code: -32600, kind: 'invalid-request' })
  await client.call('system.ping')
})

test('each message of a batch is answered by itself', async () => {
  const client = await daemon.client()
  const answers = await client.exchange([1, null, [], { jsonrpc: '2.0', method: 'system.ping' }, { jsonrpc: '2.0', id: 'a', method: 'nothing' }, { jsonrpc: '2.0', id: 'b', method: 'system.ping' }]) as readonly Answer[]
  assert.deepEqual(answers.map(({ id, error }) => [id, error?.code ?? 0]), [[null, -32600], [null, -32600], [null, -32600], ['a', -32601], ['b', 0]])
})

test('a message may be nested 64 levels deep and not 65', async () => {
  const client = await daemon.client()
  const nested = (levels: number): string => `{"jsonrpc":"2.0","id":"deep","method":"job.get","params":${'{"a":'.repeat(levels - 1)}1${'}'.repeat(levels - 1)}}`
  assert.deepEqual(await refused(client, nested(64)), { id: 'deep', code: -32602, kind: 'invalid-params' })
  assert.deepEqual(await refused(client, nested(65)), { id: 'deep', code: -32600, kind: 'message-too-deep' })
  assert.deepEqual(await refused(client, '['.repeat(65) + ']'.repeat(65)), { id: null, code: -32600, kind: 'message-too-deep' })
  assert.equal((await refused(client, '['.repeat(300_000))).code, -32700)
  assert.deepEqual(await refused(client, '['.repeat(300_000) + ']'.repeat(300_000)), { id: null, code: -32600, kind: 'message-too-deep' })
  const brackets = JSON.stringify({ jsonrpc: '2.0', id: 'text', method: '['.repeat(100) + '\\"' + '{'.repeat(100) })
  assert.deepEqual(await refused(client, brackets), { id: 'text', code: -32601, kind: 'method-not-found' })
})

test('a line of exactly 1 MiB is taken; one byte more is answered with message-too-large and the connection ends', async () => {
  const client = await daemon.client()
  const line = (size: number): string => {
    const bare = JSON.stringify({ jsonrpc: '2.0', id: 'big', method: 'nothing', params: { text: '' } })
    return bare.replace('""', `"${'x'.repeat(size - bare.length)}"`)
  }
  assert.deepEqual(await refused(client, line(1024 * 1024)), { id: 'big', code: -32601, kind: 'method-not-found' })
  client.send(line(1024 * 1024 + 1))
  const { id, error } = await client.next(1) as Answer
  assert.deepEqual([id, error?.code, error?.data.kind], [null, -32600, 'message-too-large'])
  await client.closed()
})

test('a line without end is cut off before it fills the memory', async () => {
  const client = await daemon.client()
  client.write(Buffer.alloc(3 * 1024 * 1024, 'x'))
  const { error } = await client.next(0) as Answer
  assert.equal(error?.data.kind, 'message-too-large')
  await client.closed()
  await (await daemon.client()).call('system.ping')
})

test('a client that ends its side still gets the answers to what it sent', async () => {
  const client = await daemon.client()
  client.send(ping('last'))
  client.end()
  await client.closed()
  assert.deepEqual(client.messages, [{ jsonrpc: '2.0', id: 'last', result: {} }])
})
