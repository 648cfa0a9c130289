// `options.onConflict`: what becomes of a file whose local name is taken when it is published.
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
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
let client = await daemon.client()
const body = Buffer.from('the new file')
origin.route('/file', { body })
let count = 0

function folder(): string {
  const path = join(daemon.files, String(count++))
  mkdirSync(path)
  return path
}

async function transferred(localName: string, onConflict: string): Promise<string> {
  const { job } = await client.call('job.create', {
    displayName: 'x', resume: true, files: [{ remoteName: origin.url('/file'), localName }], options: { onConflict },
  })
  assert.equal((await client.call('job.wait', { jobId: job.id })).job.state, 'transferred')
  return job.id
}

test('"rename" gives the next free name before the extension, and says it', async () => {
  const place = folder()
  writeFileSync(join(place, 'disk.tar.gz'), 'of before')
  for (const expected of ['disk (1).tar.gz', 'disk (2).tar.gz']) {
    const jobId = await transferred(join(place, 'disk.tar.gz'), 'rename')
    const { files } = await client.call('job.complete', { jobId })
    assert.deepEqual(files, [{ index: 0, localName: join(place, expected) }])
    assert.equal((await client.call('file.get', { jobId, fileIndex: 0 })).file.localName, join(place, expected))
    assert.deepEqual(readFileSync(join(place, expected)), body)
  }
  assert.equal(readFileSync(join(place, 'disk.tar.gz'), 'utf8'), 'of before')
})

test('of many jobs with the same local name that end at once none is lost', async () => {
  const place = folder()
  const jobIds = await Promise.all(Array.from({ length: 12 }, () => transferred(join(place, 'a.txt'), 'rename')))
  const answers = await Promise.all(jobIds.map((jobId) => client.call('job.complete', { jobId })))
  const names = answers.map(({ files }) => files[0]?.localName ?? '')
  assert.equal(new Set(names).size, 12)
  assert.deepEqual(names.map((name) => name.slice(place.length + 1)).sort(), readdirSync(place).sort())
})

test('"fail" is refused with the file, leaves the job transferred, and succeeds once the name is free', async () => {
  const name = join(folder(), 'a')
  writeFileSync(name, 'of before')
  const jobId = await transferred(name, 'fail')
  const { code, data } = await client.refusal('job.complete', { jobId })
  assert.deepEqual([code, (data['files'] as { code: string; localName: string }[]).map((file) => [file.code, file.localName])], [1011, [['local-file-exists', name]]])
  assert.equal((await client.call('job.get', { jobId })).job.state, 'transferred')
  assert.equal(readFileSync(name, 'utf8'), 'of before')
  rmSync(name)
  assert.equal((await client.call('job.complete', { jobId })).job.state, 'acknowledged')
})

test('a file that got another name just before the service was killed is found under it', async () => {
  const place = folder()
  writeFileSync(join(place, 'a.txt'), 'of before')
  const jobId = await transferred(join(place, 'a.txt'), 'rename')
  const { file } = await client.call('file.get', { jobId, fileIndex: 0 })
  await daemon.kill9()
  // What the worker does last before it answers.
  renameSync(file.temporaryName ?? '', join(place, 'a (1).txt'))
  client = await daemon.restart()
  const { files } = await client.call('job.complete', { jobId })
  assert.deepEqual(files, [{ index: 0, localName: join(place, 'a (1).txt') }])
  assert.deepEqual(readdirSync(place).sort(), ['a (1).txt', 'a.txt'])
})
