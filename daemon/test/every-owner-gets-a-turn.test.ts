// What one user keeps in slots, and how long another waits for his turn: with real users and a server that hardly sends.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { startOrigin } from './support/origin.ts'
import { startSystemDaemon } from './support/system-daemon.ts'
import { callAs, onlyRoot, openUsers, type TestCaller, type User } from './support/users.ts'

test('high jobs of one user that hardly move keep neither slots nor turns from another', { skip: onlyRoot }, async (t) => {
  const users = openUsers()
  const origin = await startOrigin()
  const daemon = await startSystemDaemon({ config: '[transfer]\nbackgroundSlots = 2\nforegroundSlots = 2\ntimeSliceSeconds = 1\n' })
  const callers: TestCaller[] = []
  t.after(async () => {
    for (const caller of callers) await caller.close()
    await daemon.close()
    await origin.close()
    users.close()
  })
  origin.route('/drips', { body: Buffer.alloc(1000), pace: { bytes: 1, everyMs: 200 } })
  origin.route('/file', { body: Buffer.alloc(1000) })
  const make = async (caller: TestCaller, user: User, priority: string, path: string, at: number): Promise<string> => {
    const files = [{ remoteName: origin.url(path), localName: join(user.home, `${priority}${at}`) }]
    return (await caller.call('job.create', { displayName: path, priority: priority as 'high', resume: true, files })).job.id
  }
  const [ann, bob] = [users.make('ann'), users.make('bob')]
  const [asAnn, asBob] = [callAs(daemon.socket, ann), callAs(daemon.socket, bob)]
  callers.push(asAnn, asBob)
  for (const priority of ['high', 'foreground']) {
    const slow = await Promise.all([0, 1, 2, 3].map((at) => make(asAnn, ann, priority, '/drips', at)))
    await asAnn.call('job.wait', { jobId: slow[0] ?? '', states: ['transferring'] })
    const mine = await make(asBob, bob, priority === 'high' ? 'low' : 'foreground', '/file', 0)
    const { job } = await asBob.call('job.wait', { jobId: mine, timeoutSeconds: 20 })
    assert.equal(job.state, 'transferred', priority)
  }
})
