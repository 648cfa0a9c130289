// An answer ends where it becomes large, a batch has room for so much and no more, and nobody else waits for either.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { File } from '../../protocol/job.ts'
import { batchAnswerCharacters } from '../../protocol/peer.ts'
import { Daemon } from './support/daemon.ts'
import type { Answer } from './support/raw-client.ts'

const daemon = await Daemon.start()
after(() => daemon.close())
const client = await daemon.client()
const ranges = Array.from({ length: 500 }, (_, at) => ({ offset: at * 2, length: 1 }))
const files = Array.from({ length: 80 }, (_, at) => ({ remoteName: 'http://127.0.0.1/', localName: `${daemon.files}/${at}`, ranges }))
const { job } = await client.call('job.create', { displayName: 'large', files })
const asks = (method: string, params: object): object[] => Array.from({ length: 100 }, (_, id) => ({ jsonrpc: '2.0', id, method, params }))

test('the files of a large job come in pages of bounded size, each once', async () => {
  const found: File[] = []
  let cursor: string | null = null
  let pages = 0
  do {
    const page: { files: File[]; nextCursor: string | null } = await client.call('file.list', { jobId: job.id, limit: 1000, ...(cursor !== null && { cursor }) })
    assert.ok(JSON.stringify(page).length < 600 * 1024)
    found.push(...page.files)
    cursor = page.nextCursor
    pages++
  } while (cursor !== null)
  assert.ok(pages > 1)
  assert.deepEqual(found.map(({ index }) => index), files.map((_, at) => at))
  assert.deepEqual(found[79]?.ranges, ranges)
})

test('jobs that say much of themselves come in pages of bounded size', async () => {
  const notify = { command: { program: '/bin/true', args: ['x'.repeat(4000), 'x'.repeat(4000), 'x'.repeat(4000)] } }
  const ids = new Set<string>()
  for (let count = 0; count < 60; count++) ids.add((await client.call('job.create', { displayName: 'wordy', application: 'wordy', options: { notify } })).job.id)
  const first = await client.call('job.list', { application: 'wordy', limit: 1000 })
  assert.ok(first.jobs.length < 60 && JSON.stringify(first).length < 600 * 1024)
  const rest = await client.call('job.list', { application: 'wordy', limit: 1000, cursor: first.nextCursor })
  assert.deepEqual(new Set([...first.jobs, ...rest.jobs].map(({ id }) => id)), ids)
  const both = await client.call('job.list', { application: 'wordy', states: ['suspended', 'cancelled'], limit: 1000 })
  assert.deepEqual(both, first)
})

test('of a batch what does not fit is refused, each by itself; the connection and the others go on', async () => {
  const other = await daemon.client()
  const answering = client.exchange(asks('file.list', { jobId: job.id }))
  await other.call('system.ping')
  const answers = await answering as readonly Answer[]
  assert.deepEqual(answers.map(({ id }) => Number(id)).sort((a, b) => a - b), Array.from({ length: 100 }, (_, id) => id))
  const refused = answers.filter(({ error }) => error)
  assert.ok(refused.length > 50 && refused.length < 100)
  assert.deepEqual(new Set(refused.map(({ error }) => `${error?.code} ${error?.data.kind}`)), new Set(['1018 reply-too-large']))
  assert.ok(JSON.stringify(answers).length < batchAnswerCharacters + 64 * 1024)
  await client.call('system.ping')
})

test('many long answers asked for at once all come to somebody who reads', async () => {
  const reader = await daemon.client()
  for (const each of asks('file.list', { jobId: job.id }).slice(0, 60)) reader.send(each)
  await reader.until(() => reader.messages.length === 60, '60 pages')
  assert.ok(reader.messages.every((answer) => 'result' in answer))
})
