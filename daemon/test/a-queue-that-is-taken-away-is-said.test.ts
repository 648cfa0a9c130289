// The folder of the queue is emptied, cut or removed, while the daemon runs or while it does not. Nothing is answered as durable
// that is not, and no start begins with an empty queue in silence.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Daemon } from './support/daemon.ts'
import type { RawClient } from './support/raw-client.ts'

const create = (client: RawClient, displayName: string): Promise<string> =>
  client.call('job.create', { displayName }).then(({ job }) => job.id, (error: Error) => /"kind":"([a-z-]+)"/.exec(error.message)?.[1] ?? String(error))

async function started(t: TestContext): Promise<{ daemon: Daemon; client: RawClient; queue: string }> {
  const daemon = await Daemon.start()
  t.after(() => daemon.close())
  return { daemon, client: await daemon.client(), queue: join(daemon.state, 'queue') }
}

const whileStopped: readonly (readonly [what: string, harm: (queue: string) => void])[] = [
  ['the folder is gone', (queue) => rmSync(queue, { recursive: true })],
  ['the folder is empty', (queue) => { rmSync(queue, { recursive: true }); mkdirSync(queue) }],
  ['only LOG and LOCK are left', (queue) => { for (const name of readdirSync(queue)) if (!/^LO/.test(name)) rmSync(join(queue, name)) }],
  ['the write log is cut to nothing', (queue) => { for (const name of readdirSync(queue)) if (name.endsWith('.log')) truncateSync(join(queue, name), 0) }],
]
for (const [what, harm] of whileStopped) {
  test(`${what}: the next start says so in one line and makes no empty queue`, async (t) => {
    const { daemon, client, queue } = await started(t)
    assert.match(await create(client, 'kept'), /^[0-9a-f-]{36}$/)
    await daemon.kill9()
    harm(queue)
    daemon.said = ''
    daemon.launch()
    assert.deepEqual(await daemon.exit(), { code: 1, signal: null })
    assert.match(daemon.said, /^backhauld: the queue in .* is gone, though there was one/m)
    // What it says can be done is done.
    rmSync(`${queue}.made`)
    await daemon.start()
    assert.match(await create(await daemon.client(), 'anew'), /^[0-9a-f-]{36}$/)
  })
}

test('a write log that is cut to nothing beside older jobs is said, and said once', async (t) => {
  const { daemon, client, queue } = await started(t)
  const old = await create(client, 'in a table by the next start')
  const again = await daemon.restart()
  const lost = await create(again, 'in the write log')
  await daemon.kill9()
  for (const name of readdirSync(queue)) if (name.endsWith('.log')) truncateSync(join(queue, name), 0)
  daemon.said = ''
  await daemon.start()
  const left = (await (await daemon.client()).call('job.list', {})).jobs.map(({ id }) => id)
  assert.deepEqual([left.includes(old), left.includes(lost)], [true, false])
  assert.match(daemon.said, /changes that were answered may be lost/)
  daemon.said = ''
  await daemon.restart()
  assert.doesNotMatch(daemon.said, /may be lost/)
})

const whileRunning: readonly (readonly [what: string, harm: (daemon: Daemon, queue: string) => void])[] = [
  ['the state folder is removed', (daemon) => rmSync(daemon.state, { recursive: true })],
  ['the folder of the queue is removed', (_, queue) => rmSync(queue, { recursive: true })],
  ['the folder of the queue is emptied', (_, queue) => { for (const name of readdirSync(queue)) rmSync(join(queue, name)) }],
  ['another folder takes its place', (_, queue) => { renameSync(queue, `${queue}.old`); mkdirSync(queue) }],
]
for (const [what, harm] of whileRunning) {
  test(`${what} while the daemon runs: no change is answered as durable from then on, and it is said`, async (t) => {
    const { daemon, client, queue } = await started(t)
    const before = await create(client, 'before')
    harm(daemon, queue)
    assert.deepEqual([await create(client, 'one'), await create(client, 'two')], ['storage-full', 'storage-full'])
    assert.equal((await client.call('job.get', { jobId: before })).job.displayName, 'before')
    assert.match(daemon.said, /removed or replaced while it was open/)
    assert.ok(!existsSync(join(queue, 'CURRENT')), 'nothing new was made in its place')
  })
}
