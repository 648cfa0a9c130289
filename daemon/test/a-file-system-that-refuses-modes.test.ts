// Where the file system refuses to change mode or time, as vfat, CIFS and drvfs do, the file is published without them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Daemon } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'
import { inject, needsStrace } from './support/strace.ts'

test('a file that can have neither mode nor time is published, and the log says so once', { skip: needsStrace }, async (t) => {
  const origin = await startOrigin()
  const daemon = await Daemon.start()
  t.after(async () => {
    await daemon.close()
    await origin.close()
  })
  origin.route('/file', { body: Buffer.from('content'), lastModified: 'Mon, 05 Jan 2026 00:00:00 GMT' })
  const client = await daemon.client()
  const files = ['one', 'two'].map((name) => ({ remoteName: origin.url('/file'), localName: join(daemon.files, name) }))
  const { job } = await client.call('job.create', { displayName: 'two files', resume: true, files })
  assert.equal((await client.call('job.wait', { jobId: job.id })).job.state, 'transferred')
  const [worker = 0] = daemon.workers()
  const attached = await inject(worker, { call: 'fchmod,utimensat', fault: 'error=EPERM', when: '1+' })
  const completed = await client.call('job.complete', { jobId: job.id })
  await attached.detach()
  assert.equal(completed.partial, false)
  for (const { localName } of files) assert.equal(readFileSync(localName, 'utf8'), 'content')
  for (const what of ['mode', 'time']) assert.equal(daemon.said.split(`the ${what} of published files cannot be set`).length, 2, what)
})
