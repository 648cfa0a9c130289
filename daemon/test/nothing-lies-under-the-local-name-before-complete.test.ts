import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { Daemon, needsRoot } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'

const origin = await startOrigin()
const daemon = await Daemon.start()
after(async () => {
  await daemon.close()
  await origin.close()
})
const client = await daemon.client()
const body = Buffer.from('the whole file')
const lastModified = 'Wed, 21 Oct 2015 07:28:00 GMT'
origin.route('/file', { body, lastModified })
origin.route('/stalls', { body: Buffer.alloc(5000, 'x'), cutAfter: 100, cut: 'stall' })

function folderOf(name: string): string {
  const folder = join(daemon.files, name)
  mkdirSync(folder)
  return folder
}

async function transferred(localNames: readonly string[]): Promise<string> {
  const files = localNames.map((localName) => ({ remoteName: origin.url('/file'), localName }))
  const { job } = await client.call('job.create', { displayName: 'x', resume: true, files })
  assert.equal((await client.call('job.wait', { jobId: job.id })).job.state, 'transferred')
  return job.id
}

test('until job.complete the bytes lie in BH*.tmp beside the local name, readable by the owner alone', async () => {
  const folder = folderOf('place')
  const jobId = await transferred([join(folder, 'a')])
  const { file } = await client.call('file.get', { jobId, fileIndex: 0 })
  assert.deepEqual(file.progress, { bytesTotal: body.length, bytesTransferred: body.length, completed: false })
  assert.deepEqual(readdirSync(folder), [basename(file.temporaryName ?? '')])
  assert.match(basename(file.temporaryName ?? ''), /^BH.*\.tmp$/)
  assert.equal(dirname(file.temporaryName ?? ''), folder)
  assert.equal(statSync(file.temporaryName ?? '').mode & 0o777, 0o600)
})

test('job.complete gives the file its name, its bytes and the time of Last-Modified, and leaves nothing beside it', async () => {
  const folder = folderOf('published')
  const localName = join(folder, 'a')
  const jobId = await transferred([localName])
  const answer = await client.call('job.complete', { jobId })
  assert.deepEqual([answer.job.state, answer.partial, answer.files], ['acknowledged', false, [{ index: 0, localName }]])
  assert.deepEqual(readdirSync(folder), ['a'])
  assert.deepEqual(readFileSync(localName), body)
  assert.equal(statSync(localName).mtimeMs, Date.parse(lastModified))
  assert.notEqual(statSync(localName).mode & 0o777, 0o600)
  const { file } = await client.call('file.get', { jobId, fileIndex: 0 })
  assert.deepEqual([file.progress.completed, file.temporaryName], [true, null])
  assert.notEqual(answer.job.endedAt, null)
})

test('job.complete replaces a file that was there', async () => {
  const localName = join(folderOf('replaced'), 'a')
  writeFileSync(localName, 'older and longer than the new one')
  const jobId = await transferred([localName])
  assert.equal(readFileSync(localName, 'utf8'), 'older and longer than the new one')
  await client.call('job.complete', { jobId })
  assert.deepEqual(readFileSync(localName), body)
})

test('job.complete of an unfinished job keeps the finished files, removes the partial ones and says so', async () => {
  const folder = folderOf('partial')
  const { job } = await client.call('job.create', { displayName: 'x', resume: true, files: [
    { remoteName: origin.url('/file'), localName: join(folder, 'whole') }, { remoteName: origin.url('/stalls'), localName: join(folder, 'half') },
  ] })
  const half = async (): Promise<boolean> => {
    const { files } = await client.call('file.list', { jobId: job.id })
    return files[0]?.progress.bytesTransferred === body.length && (files[1]?.progress.bytesTransferred ?? 0) > 0 && (await client.call('job.get', { jobId: job.id })).job.progress.filesTransferred === 1
  }
  while (!await half()) await client.call('system.ping')
  const answer = await client.call('job.complete', { jobId: job.id })
  assert.deepEqual([answer.job.state, answer.partial, answer.files], ['acknowledged', true, [{ index: 0, localName: join(folder, 'whole') }]])
  assert.deepEqual(readdirSync(folder), ['whole'])
})

test('job.cancel removes what was downloaded before it answers', async () => {
  const folder = folderOf('cancelled')
  const done = await transferred([join(folder, 'a'), join(folder, 'b')])
  const { job } = await client.call('job.create', { displayName: 'x', resume: true, files: [{ remoteName: origin.url('/stalls'), localName: join(folder, 'c') }] })
  await client.call('job.wait', { jobId: job.id, states: ['transferring'] })
  assert.equal(readdirSync(folder).length, 3)
  for (const jobId of [done, job.id]) assert.equal((await client.call('job.cancel', { jobId })).job.state, 'cancelled')
  assert.deepEqual(readdirSync(folder), [])
})

test('job.suspend keeps what was downloaded', async () => {
  const folder = folderOf('suspended')
  const { job } = await client.call('job.create', { displayName: 'x', resume: true, files: [{ remoteName: origin.url('/stalls'), localName: join(folder, 'c') }] })
  await client.call('job.wait', { jobId: job.id, states: ['transferring'] })
  await client.call('job.suspend', { jobId: job.id })
  assert.equal(readdirSync(folder).length, 1)
  await client.call('job.cancel', { jobId: job.id })
})

test('where the folder is gone, job.complete is refused with the files in question and the job stays as it was', async () => {
  const folder = folderOf('gone')
  const jobId = await transferred([join(folder, 'a')])
  renameSync(folder, `${folder} elsewhere`)
  const { code, data } = await client.refusal('job.complete', { jobId })
  assert.deepEqual([code, data.kind, (data['files'] as { index: number; localName: string }[]).map(({ index, localName }) => [index, localName])], [1011, 'publish-failed', [[0, join(folder, 'a')]]])
  assert.equal((await client.call('job.get', { jobId })).job.state, 'transferred')
  renameSync(`${folder} elsewhere`, folder)
  assert.equal((await client.call('job.complete', { jobId })).job.state, 'acknowledged')
  assert.deepEqual(readdirSync(folder), ['a'])
})

test('where only one of the files cannot get its name, the others have theirs and completing again does the rest', async () => {
  const folder = folderOf('one')
  mkdirSync(join(folder, 'good'))
  mkdirSync(join(folder, 'bad'))
  const jobId = await transferred([join(folder, 'good', 'a'), join(folder, 'bad', 'b')])
  renameSync(join(folder, 'bad'), join(folder, 'elsewhere'))
  const { data } = await client.refusal('job.complete', { jobId })
  assert.deepEqual((data['files'] as { index: number }[]).map(({ index }) => index), [1])
  assert.ok(existsSync(join(folder, 'good', 'a')))
  renameSync(join(folder, 'elsewhere'), join(folder, 'bad'))
  const { files } = await client.call('job.complete', { jobId })
  assert.deepEqual(files.map(({ index }) => index), [0, 1])
  assert.ok(existsSync(join(folder, 'bad', 'b')))
})

test('a folder under the local name is not replaced', async () => {
  const folder = folderOf('directory')
  const jobId = await transferred([join(folder, 'a')])
  mkdirSync(join(folder, 'a'))
  writeFileSync(join(folder, 'a', 'precious'), 'x')
  assert.equal((await client.refusal('job.complete', { jobId })).code, 1011)
  assert.ok(existsSync(join(folder, 'a', 'precious')))
  await client.call('job.cancel', { jobId })
  assert.deepEqual(readdirSync(folder), ['a'])
})

test('a partial file that somebody took away is no reason to publish nothing as something', async () => {
  const folder = folderOf('stolen')
  const jobId = await transferred([join(folder, 'a')])
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  assert.equal((await client.refusal('job.complete', { jobId })).code, 1011)
  assert.deepEqual(readdirSync(folder), [])
})

test('completing twice at once gives one answer and one refusal', async () => {
  const jobId = await transferred([join(folderOf('twice'), 'a')])
  const other = await daemon.client()
  const answers = await Promise.all([client.ask('job.complete', { jobId }), other.ask('job.complete', { jobId })])
  assert.deepEqual(answers.map(({ error }) => error?.code ?? 0).sort(), [0, 1002])
})

test('a folder that the owner may not write to', { skip: needsRoot === false ? 'root may write everywhere; see the tests with several users' : false }, async () => {
  const folder = folderOf('locked')
  chmodSync(folder, 0o555)
  const { job } = await client.call('job.create', { displayName: 'x', resume: true, files: [{ remoteName: origin.url('/file'), localName: join(folder, 'a') }] })
  const { job: failed } = await client.call('job.wait', { jobId: job.id })
  assert.deepEqual([failed.state, failed.error?.context, failed.error?.code, failed.error?.fatal], ['error', 'local-file', 'access-denied', true])
  chmodSync(folder, 0o755)
})
