import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Daemon } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'

const origin = await startOrigin()
const daemon = await Daemon.start()
after(async () => {
  await daemon.close()
  await origin.close()
})
origin.route('/stalls', { body: Buffer.alloc(1000), cutAfter: 100, cut: 'stall' })
origin.route('/good', { body: Buffer.from('good') })

test('what is sent without waiting for answers happens in the order sent', async () => {
  const client = await daemon.client()
  const { job } = await client.call('job.create', { displayName: '0', files: [{ remoteName: origin.url('/stalls'), localName: join(daemon.files, 'a') }] })
  const jobId = job.id
  const begun: { id: number; expected: (job: { displayName: string; state: string }) => void }[] = []
  const begin = (method: string, params: object, expected: (job: { displayName: string; state: string }) => void): void => {
    begun.push({ id: client.begin(method, { jobId, ...params }), expected })
  }
  for (let at = 1; at <= 40; at++) {
    begin('job.update', { set: { displayName: String(at) } }, (seen) => assert.equal(seen.displayName, String(at)))
    begin('job.get', {}, (seen) => assert.equal(seen.displayName, String(at)))
    begin(at % 2 ? 'job.resume' : 'job.suspend', {}, () => {})
    begin('job.get', {}, (seen) => assert.equal(seen.state === 'suspended', at % 2 === 0))
  }
  begin('job.cancel', {}, (seen) => assert.equal(seen.state, 'cancelled'))
  begin('job.get', {}, (seen) => assert.equal(seen.state, 'cancelled'))
  for (const { id, expected } of begun) expected((await client.answer(id)).result ? ((await client.answer(id)).result as { job: { displayName: string; state: string } }).job : { displayName: '', state: 'refused' })
  assert.equal((await client.refusal('job.resume', { jobId })).code, 1002)
})

test('the same holds within a batch', async () => {
  const client = await daemon.client()
  const { job } = await client.call('job.create', { displayName: '0' })
  const calls = Array.from({ length: 50 }, (_, at) => [
    { jsonrpc: '2.0', id: `set ${at}`, method: 'job.update', params: { jobId: job.id, set: { displayName: String(at + 1) } } },
    { jsonrpc: '2.0', id: at, method: 'job.get', params: { jobId: job.id } },
  ]).flat()
  const answers = await client.exchange(calls) as readonly { id: unknown; result: { job: { displayName: string } } }[]
  for (const { id, result } of answers) if (typeof id === 'number') assert.equal(result.job.displayName, String(id + 1))
})

test('nothing waits behind job.wait', async () => {
  const client = await daemon.client()
  const { job } = await client.call('job.create', { displayName: 'x', files: [{ remoteName: origin.url('/good'), localName: join(daemon.files, 'b') }] })
  const waiting = client.begin('job.wait', { jobId: job.id })
  await client.call('job.resume', { jobId: job.id })
  assert.equal(((await client.answer(waiting)).result as { job: { state: string } }).job.state, 'transferred')
})

test('a thousand waits do not keep other calls from being answered', async () => {
  const client = await daemon.client()
  const { job } = await client.call('job.create', { displayName: 'x' })
  const waiting = Array.from({ length: 1000 }, () => client.begin('job.wait', { jobId: job.id }))
  await client.call('system.ping')
  await client.call('job.cancel', { jobId: job.id })
  for (const id of waiting) assert.equal(((await client.answer(id)).result as { job: { state: string } }).job.state, 'cancelled')
})

test('a slow call about one job does not delay another job', async () => {
  const client = await daemon.client()
  const [one, two] = await Promise.all(['one', 'two'].map(async (displayName) => (await client.call('job.create', { displayName })).job.id))
  const waiting = client.begin('job.wait', { jobId: one, timeoutSeconds: 600 })
  await client.call('job.update', { jobId: two, set: { displayName: 'moved' } })
  assert.equal(client.messages.some((message) => 'id' in message && message.id === waiting), false)
})
