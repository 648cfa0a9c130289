import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Daemon } from './support/daemon.ts'

const daemon = await Daemon.start()
after(() => daemon.close())
let client = await daemon.client()

const create = (clientToken: string, more: object = {}): object => ({ displayName: 'x', clientToken, ...more })

test('the same token answers the first job, whatever else is asked', async () => {
  const first = await client.call('job.create', create('one', { description: 'first' }))
  const second = await client.call('job.create', create('one', { description: 'second', priority: 'high' }))
  assert.deepEqual([first.created, second.created, second.job], [true, false, first.job])
  const third = await (await daemon.client()).call('job.create', create('one'))
  assert.deepEqual([third.created, third.job.id], [false, first.job.id])
})

test('twenty calls at once with one token, over several connections, make one job', async () => {
  const clients = await Promise.all(Array.from({ length: 20 }, () => daemon.client()))
  const answers = await Promise.all(clients.map((each) => each.call('job.create', create('race'))))
  assert.equal(new Set(answers.map(({ job }) => job.id)).size, 1)
  assert.equal(answers.filter(({ created }) => created).length, 1)
})

test('a refused call leaves its token unused', async () => {
  assert.equal((await client.refusal('job.create', create('refused', { resume: true }))).code, 1003)
  assert.equal((await client.call('job.create', create('refused'))).created, true)
})

test('the token holds across kill -9, also where the answer was never read', async () => {
  const { job } = await client.call('job.create', create('kept'))
  client.begin('job.create', create('unread'))
  await client.call('system.ping')
  client = await daemon.restart()
  const again = await client.call('job.create', create('kept'))
  assert.deepEqual([again.created, again.job.id], [false, job.id])
  const unread = await client.call('job.create', create('unread'))
  const { jobs } = await client.call('job.list', {})
  assert.equal(jobs.filter(({ id }) => id === unread.job.id).length, 1)
})

test('the token holds after its job has ended, and after a restart then', async () => {
  const { job } = await client.call('job.create', create('ended'))
  await client.call('job.cancel', { jobId: job.id })
  const after = await client.call('job.create', create('ended'))
  assert.deepEqual([after.created, after.job.id, after.job.state], [false, job.id, 'cancelled'])
  client = await daemon.restart()
  const later = await client.call('job.create', create('ended'))
  assert.deepEqual([later.created, later.job.id, later.job.state], [false, job.id, 'cancelled'])
})

test('tokens are compared as they are: no token is part of another, and slashes mean nothing', async () => {
  const tokens = ['a', 'A', 'a/', 'a/b', '../a', '__proto__', 'constructor', 'x'.repeat(256), '\u00e9', 'e\u0301']
  const ids = await Promise.all(tokens.map(async (token) => (await client.call('job.create', create(token))).job.id))
  assert.equal(new Set(ids).size, tokens.length)
})
