import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, readdir, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect, download } from './client.ts'
import { JobFailed } from './download.ts'
import { startDaemonProcess, type DaemonProcess } from './test/daemon-process.ts'
import { startOrigin, type Origin } from './test/origin.ts'
import { until } from './test/scripted-daemon.ts'

let daemon: DaemonProcess
let origin: Origin
before(async () => {
  daemon = await startDaemonProcess()
  origin = await startOrigin()
})
after(async () => {
  await origin.close()
  await daemon.close()
})

async function newFolder(name: string): Promise<string> {
  const folder = join(daemon.folder, name)
  await mkdir(folder)
  return folder
}

test('a download answers with the path, the job acknowledged, and the whole content', async () => {
  const body = randomBytes(300_000)
  origin.serve('/whole', body)
  const folder = await newFolder('whole')
  const seen: number[] = []
  const { path, job } = await download(origin.url('/whole'), join(folder, 'w.bin'), { socket: daemon.socket, onProgress: ({ bytesTransferred }) => seen.push(bytesTransferred) })
  assert.deepEqual([path, job.state, job.priority, job.displayName], [join(folder, 'w.bin'), 'acknowledged', 'foreground', 'whole'])
  assert.deepEqual(await readFile(path), body)
  assert.equal(seen.at(-1), body.length)
  assert.deepEqual(await readdir(folder), ['w.bin'])
})

test('a wrong checksum rejects with JobFailed, and no file appears', async () => {
  origin.serve('/wrong', randomBytes(1000))
  const folder = await newFolder('wrong')
  const checksum = { algorithm: 'sha256', value: createHash('sha256').update('other').digest('hex') } as const
  await assert.rejects(download(origin.url('/wrong'), join(folder, 'w.bin'), { socket: daemon.socket, checksum, onFailure: 'cancel' }),
    (error) => error instanceof JobFailed && error.error?.code === 'checksum-mismatch')
  assert.deepEqual(await readdir(folder), [])
})

test('a fatal status rejects with JobFailed and leaves the job in error, unless it is to be cancelled', async () => {
  const folder = await newFolder('gone')
  await using client = await connect({ socket: daemon.socket })
  for (const [onFailure, state] of [['leave', 'error'], ['cancel', 'cancelled']] as const) {
    const failed = await client.download(origin.url('/gone'), join(folder, 'g.bin'), { onFailure }).then(() => null, (error: unknown) => error)
    assert.ok(failed instanceof JobFailed)
    assert.equal(failed.error?.httpStatus, 404)
    assert.equal((await client.job(failed.job.id).get()).state, state)
  }
})

test('a download goes on after the daemon was killed and started again', async () => {
  const body = randomBytes(400_000)
  origin.serve('/killed', body, { holdAfter: 200_000 })
  const folder = await newFolder('killed')
  let isMoving = false
  const done = download(origin.url('/killed'), join(folder, 'k.bin'), { socket: daemon.socket, onProgress: ({ bytesTransferred }) => { isMoving ||= bytesTransferred > 0 } })
  await until(() => isMoving, 'the first bytes')
  await daemon.kill9()
  origin.release('/killed')
  await daemon.start()
  const { path } = await done
  assert.deepEqual(await readFile(path), body)
})

test('aborting cancels the job and removes its bytes', async () => {
  origin.serve('/aborted', randomBytes(100_000), { holdAfter: 50_000 })
  const folder = await newFolder('aborted')
  await using client = await connect({ socket: daemon.socket })
  const stop = new AbortController()
  let id = ''
  const done = client.download(origin.url('/aborted'), join(folder, 'a.bin'), {
    signal: stop.signal,
    onProgress(progress, job) {
      id = job.id
      if (progress.bytesTransferred > 0) stop.abort(new Error('no more'))
    },
  })
  await assert.rejects(done, /no more/)
  assert.equal((await client.job(id).get()).state, 'cancelled')
  await until(() => readdir(folder).then((names) => names.length === 0), 'an empty folder')
})

test('aborting with leave lets the job go on, and the same client token comes back to it', async () => {
  const body = randomBytes(100_000)
  origin.serve('/left', body, { holdAfter: 50_000 })
  const folder = await newFolder('left')
  await using client = await connect({ socket: daemon.socket })
  const stop = new AbortController()
  let id = ''
  const first = client.download(origin.url('/left'), join(folder, 'l.bin'), {
    signal: stop.signal, onAbort: 'leave', clientToken: 'left',
    onProgress(progress, job) {
      id = job.id
      if (progress.bytesTransferred > 0) stop.abort()
    },
  })
  await assert.rejects(first)
  assert.equal(existsSync(join(folder, 'l.bin')), false)
  origin.release('/left')
  const second = await client.download(origin.url('/left'), join(folder, 'l.bin'), { clientToken: 'left' })
  assert.equal(second.job.id, id)
  assert.deepEqual(await readFile(second.path), body)
  const third = await client.download(origin.url('/left'), join(folder, 'l.bin'), { clientToken: 'left' })
  assert.deepEqual([third.job.id, third.job.state], [id, 'acknowledged'])
})

test('a URL that is none is refused before there is a job', async () => {
  await using client = await connect({ socket: daemon.socket })
  await assert.rejects(client.download('ftp://127.0.0.1/x', join(daemon.folder, 'x')), { kind: 'invalid-params' })
})
