// Frames made at random, of valid ones and of bytes: the service answers or ends the connection, goes on, and holds nothing of them.
// The seed is printed; BACKHAUL_FUZZ_SEED and BACKHAUL_FUZZ_FRAMES repeat a run or make it longer.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { methods } from '../../protocol/methods.ts'
import { Daemon } from './support/daemon.ts'
import type { RawClient } from './support/raw-client.ts'

const seed = Number(process.env['BACKHAUL_FUZZ_SEED'] ?? 20260101)
const frames = Number(process.env['BACKHAUL_FUZZ_FRAMES'] ?? 4000)
const daemon = await Daemon.start()
after(() => daemon.close())

let state = seed >>> 0
/** A whole number below `count` (mulberry32). */
function pick(count: number): number {
  state = (state + 0x6d2b79f5) >>> 0
  let mixed = Math.imul(state ^ (state >>> 15), state | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return ((mixed ^ (mixed >>> 14)) >>> 0) % count
}
const one = <T>(of: readonly T[]): T => of[pick(of.length)] as T

const names = Object.keys(methods)
const members = ['jobId', 'files', 'ranges', 'set', 'options', 'http', 'headers', 'states', 'limit', 'cursor', 'after', 'owner', 'all', '__proto__', 'constructor', '']
const texts = ['', 'x', 'me', 'all', '\u0000', '\ud800', 'http://a/', '/tmp/a', '00000000-0000-4000-8000-000000000000', 'live:1', 'ended:', 'x'.repeat(5000)]

function value(depth: number): unknown {
  const kind = pick(depth > 4 ? 4 : 6)
  if (kind === 0) return one([0, -1, 1.5, 1e308, 2 ** 53, -0])
  if (kind === 1) return one(texts)
  if (kind === 2) return one([null, true, false])
  if (kind === 3) return one([[], {}])
  const size = pick(6)
  if (kind === 4) return Array.from({ length: size }, () => value(depth + 1))
  return Object.fromEntries(Array.from({ length: size }, () => [one(members), value(depth + 1)]))
}

function message(): unknown {
  const whole = { jsonrpc: '2.0', id: pick(1000), method: one(names), params: Object.fromEntries(Array.from({ length: pick(4) }, () => [one(members), value(0)])) }
  if (whole.method === 'job.wait') return { ...whole, params: { ...whole.params, timeoutSeconds: 0 } }
  return pick(4) === 0 ? { ...whole, [one(['jsonrpc', 'id', 'method', 'params', 'result', 'error'])]: value(0) } : whole
}

function frame(): Buffer {
  const kind = pick(10)
  if (kind === 0) return Buffer.from(Array.from({ length: pick(200) }, () => pick(256)))
  if (kind === 1) return Buffer.from(JSON.stringify(Array.from({ length: pick(8) }, message)))
  const text = Buffer.from(JSON.stringify(message()))
  if (kind === 2) return text.subarray(0, pick(text.length))
  if (kind === 3) text[pick(text.length)] = pick(256)
  return text
}

test('garbage of every kind', async (context) => {
  context.diagnostic(`seed ${seed}, ${frames} frames`)
  let client: RawClient = await daemon.client()
  for (let sent = 0; sent < frames; sent++) {
    if (client.isClosed) client = await daemon.client()
    client.write(Buffer.concat([frame(), Buffer.from('\n')]))
    if (sent % 200 !== 199) continue
    // A new connection each time: what is answered on the old one belongs to the garbage.
    client.close()
    client = await daemon.client()
    await client.call('system.ping')
  }
  const defects = daemon.log().filter(({ level }) => level === 'error' || level === 'fatal')
  assert.deepEqual(defects, [], `seed ${seed}`)
  assert.ok(daemon.pid > 0)
  await (await daemon.client()).call('job.list', {})
})
