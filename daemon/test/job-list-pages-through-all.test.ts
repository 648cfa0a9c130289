import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Job } from '../../protocol/job.ts'
import { Daemon } from './support/daemon.ts'

const daemon = await Daemon.start()
after(() => daemon.close())
const client = await daemon.client()
const ids: string[] = []
for (let at = 0; at < 25; at++) {
  const application = at % 2 ? 'odd' : 'even'
  ids.push((await client.call('job.create', { displayName: String(at), application })).job.id)
}

async function pages(params: object): Promise<Job[][]> {
  const found: Job[][] = []
  let cursor: string | null = null
  do {
    const page: { jobs: Job[]; nextCursor: string | null } = await client.call('job.list', { ...params, ...(cursor === null ? {} : { cursor }) })
    found.push(page.jobs)
    cursor = page.nextCursor
  } while (cursor !== null)
  return found
}

test('jobs come in the order of their making, in pages, each once', async () => {
  for (const limit of [1, 7, 24, 25, 26, 1000]) {
    const found = await pages({ limit })
    assert.deepEqual(found.flat().map(({ id }) => id), ids, `limit ${limit}`)
    assert.ok(found.every((page) => page.length <= limit))
  }
  assert.deepEqual(await client.call('job.list', {}), { jobs: (await pages({})).flat(), nextCursor: null })
})

test('a list says of each job what job.get says, also after it has changed, and in a batch', async () => {
  for (const displayName of ['one "quoted" ü', 'another']) {
    await client.call('job.update', { jobId: ids[3], set: { displayName, options: { http: { headers: { Authorization: 'secret' } } } } })
    const got = await Promise.all(ids.map(async (jobId) => (await client.call('job.get', { jobId })).job))
    for (let time = 0; time < 2; time++) assert.deepEqual(await client.call('job.list', {}), { jobs: got, nextCursor: null })
    const lists = [1, 'b'].map((id) => ({ jsonrpc: '2.0', id, method: 'job.list', params: {} }))
    const answers = await client.exchange(lists) as readonly { id: unknown }[]
    assert.deepEqual(answers, [1, 'b'].map((id) => ({ jsonrpc: '2.0', id, result: { jobs: got, nextCursor: null } })))
  }
})

test('a job that is made or ended meanwhile does not disturb the pages', async () => {
  const first = await client.call('job.list', { limit: 10 })
  const extra = (await client.call('job.create', { displayName: 'late' })).job.id
  await client.call('job.cancel', { jobId: first.jobs[9]?.id })
  const rest = await client.call('job.list', { limit: 100, cursor: first.nextCursor })
  assert.deepEqual([...first.jobs, ...rest.jobs].map(({ id }) => id), [...ids, extra])
  await client.call('job.cancel', { jobId: extra })
})

test('states and application choose', async () => {
  const odd = await pages({ application: 'odd', limit: 4 })
  assert.ok(odd.flat().every(({ application }) => application === 'odd'))
  assert.equal((await client.call('job.list', { application: 'nobody' })).jobs.length, 0)
  assert.equal((await client.call('job.list', { states: ['queued', 'error'] })).jobs.length, 0)
  assert.equal((await client.call('job.list', { states: ['suspended'], application: 'even' })).jobs.every(({ state }) => state === 'suspended'), true)
})

test('jobs that ended are in no list but one that asks for them, in pages too, and after a restart', async () => {
  for (const jobId of ids.slice(0, 9)) await client.call('job.complete', { jobId })
  const live = new Set((await client.call('job.list', {})).jobs.map(({ id }) => id))
  assert.ok(ids.slice(0, 10).every((id) => !live.has(id)))
  for (const limit of [1, 3, 9, 100]) assert.deepEqual((await pages({ states: ['acknowledged'], limit })).flat().map(({ id }) => id), ids.slice(0, 9), `limit ${limit}`)
  const mixed = (await pages({ states: ['acknowledged', 'suspended'], limit: 4 })).flat()
  assert.deepEqual(new Set(mixed.map(({ id }) => id)), new Set([...ids.slice(0, 9), ...ids.slice(10)]))
  assert.equal(mixed.length, 24)
  const again = await daemon.restart()
  assert.deepEqual((await again.call('job.list', { states: ['acknowledged'] })).jobs.map(({ id }) => id), ids.slice(0, 9))
  assert.deepEqual((await again.call('job.list', {})).jobs.map(({ id }) => id), ids.slice(10))
  assert.equal((await again.call('job.list', { states: ['acknowledged'], application: 'odd' })).jobs.length, 4)
})

test('files come in pages too', async () => {
  const again = await daemon.client()
  const files = Array.from({ length: 23 }, (_, at) => ({ remoteName: `http://127.0.0.1/${at}`, localName: `/tmp/never-${at}` }))
  const { job } = await again.call('job.create', { displayName: 'x', files })
  const seen: number[] = []
  let cursor: string | null = null
  do {
    const page: { files: { index: number }[]; nextCursor: string | null } = await again.call('file.list', { jobId: job.id, limit: 5, ...(cursor === null ? {} : { cursor }) })
    seen.push(...page.files.map(({ index }) => index))
    cursor = page.nextCursor
  } while (cursor !== null)
  assert.deepEqual(seen, files.map((_, at) => at))
  assert.deepEqual(await again.call('file.list', { jobId: job.id, cursor: '23' }), { files: [], nextCursor: null })
})
