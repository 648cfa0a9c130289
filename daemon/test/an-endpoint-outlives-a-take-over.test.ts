// Contract §4 rule 7: when an admin takes a job over, the endpoint that covered it goes on being called, in the name of
// the user who registered it, until the new owner registers one.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { startOrigin } from './support/origin.ts'
import { Program } from './support/program.ts'
import { startSystemDaemon } from './support/system-daemon.ts'
import { onlyRoot, openUsers } from './support/users.ts'

test('the endpoint of the owner before is called until the new owner registers one', { skip: onlyRoot }, async (t) => {
  const users = openUsers()
  const ann = users.make('ann')
  const origin = await startOrigin()
  origin.route('/file', { body: Buffer.alloc(1000, 7) })
  const daemon = await startSystemDaemon({})
  const [hers, roots] = [Program.open(daemon.socket, ann), Program.open(daemon.socket)]
  t.after(async () => {
    hers.close()
    roots.close()
    await daemon.close()
    await origin.close()
    users.close()
  })
  const make = async (name: string): Promise<string> => {
    const { job } = await hers.call('job.create', {
      displayName: name, application: 'hers', files: [{ remoteName: origin.url('/file'), localName: join(ann.home, name) }],
    })
    return job.id
  }
  await hers.register({ application: 'hers' })
  const [first, second] = [await make('first'), await make('second')]
  for (const jobId of [first, second]) assert.equal((await roots.call('job.takeOwnership', { jobId })).job.owner.id, '0')

  await roots.call('job.resume', { jobId: first })
  await hers.toldOf(1)
  assert.deepEqual([hers.told[0]?.job.id, hers.told[0]?.job.owner.id], [first, '0'])
  await assert.rejects(hers.call('job.get', { jobId: first }), { kind: 'job-not-found' })

  await roots.register({ application: 'hers' })
  await roots.call('job.resume', { jobId: second })
  await roots.toldOf(2)
  assert.deepEqual(roots.told.map(({ job }) => job.id).sort(), [first, second].sort())
  assert.deepEqual(hers.told.map(({ job }) => job.id), [first])
})
