// The power of the disk with queue and files is cut under a mixed session: what was answered is there when it comes back,
// what was flushed is not fetched again, and a brand-new queue can be opened.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Daemon, until } from './support/daemon.ts'
import { judge } from './support/judge.ts'
import { LoopDisk } from './support/loop-disk.ts'
import { startMixedOrigin } from './support/mixed-origin.ts'
import { Chance, longestSession, rounds, seed, sessions } from './support/seed.ts'
import { remembersAll, Session } from './support/session.ts'

/** What each round leaves there stays until its session ends; the image takes only what is written. */
const disk = LoopDisk.make(256 + 64 * Math.min(rounds(4), longestSession))
const skip = typeof disk === 'string' ? disk : false
const { origin, paths, bodies } = await startMixedOrigin()
const mebibyte = 1024 * 1024
/** Between the cut and the end of the processes nothing can be written, and that is said. */
const expected = ['storage-full', 'publish-failed', 'error']
after(async () => {
  if (typeof disk !== 'string') disk.close()
  await origin.close()
})

function place(name: string): { state: string; files: string } {
  const path = typeof disk === 'string' ? '' : join(disk.path, name)
  mkdirSync(join(path, 'files'), { recursive: true })
  return { state: join(path, 'state'), files: join(path, 'files') }
}

/** Without power there are no processes either. */
async function cut(daemon: Daemon): Promise<void> {
  if (typeof disk === 'string') return
  const workers = daemon.workers()
  disk.cut()
  for (const pid of workers) end(pid)
  await daemon.kill9()
  // A worker that was just starting ends by itself.
  await until(() => disk.unmount(), 'nobody uses the disk any more')
  disk.mount()
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error // it ended by itself
  }
}

for (const { number, name, rounds: count } of sessions(rounds(4))) test(`after a power cut at any moment all that was answered holds${name}`, { skip }, async (t) => {
  t.diagnostic(`seed ${seed + number}`)
  const chance = new Chance(seed + number)
  const { state, files } = place(`mixed-${number}`)
  const daemon = Daemon.make({ config: `${remembersAll}[transfer]\nbackgroundSlots = 8\n\n[callbacks]\nretrySeconds = 0.1\n`, state })
  t.after(() => daemon.close())
  const session = new Session({ origin, paths, folder: files, chance, expected })
  await daemon.start()
  for (let round = 0; round < count; round++) {
    const program = await session.connect(daemon.socket)
    const running = session.run(program)
    const afterMs = chance.below(2500)
    await new Promise((resolve) => { setTimeout(resolve, afterMs) })
    // What is answered after the cut was promised without a disk: nothing may be.
    await cut(daemon)
    await program.closed()
    await running
    await daemon.start()
    const witness = await session.connect(daemon.socket)
    assert.deepEqual(await judge(session, witness, bodies), [], `seed ${seed + number}, round ${round}, cut after ${afterMs} ms`)
    witness.close()
  }
  const program = await session.connect(daemon.socket)
  await session.finish(program)
  assert.deepEqual(await judge(session, program, bodies), [], `seed ${seed + number}, at the end`)
  program.close()
  t.diagnostic(`${session.notes.length} jobs, ${session.answered} answers`)
  assert.doesNotMatch(daemon.said, /is damaged|"a defect/)
  await daemon.close()
  for (const folder of [state, files]) rmSync(folder, { recursive: true })
})

test('a queue that is cut in its first second opens', { skip }, async (t) => {
  for (let round = 0; round < rounds(4); round++) {
    const { state, files } = place(`new-${round}`)
    const daemon = Daemon.make({ state })
    t.after(() => daemon.close())
    await daemon.start()
    const session = new Session({ origin, paths, folder: files, chance: new Chance(seed + round), expected })
    const program = await session.connect(daemon.socket)
    const running = session.run(program, () => session.answered >= round % 3)
    if (round % 3 > 0) await running
    await cut(daemon)
    await running
    program.close()
    await daemon.start()
    const witness = await session.connect(daemon.socket)
    assert.deepEqual(await judge(session, witness, bodies), [], `seed ${seed}, round ${round}`)
    witness.close()
    await daemon.close()
  }
})

test('of a large file, at most 16 MiB or 5 s of transfer are fetched again, and every byte is the right one', { skip }, async (t) => {
  const body = randomBytes(60 * mebibyte)
  origin.route('/huge', { body, pace: { bytes: mebibyte, everyMs: 60 } })
  const { state, files } = place('huge')
  const daemon = Daemon.make({ state })
  t.after(() => daemon.close())
  await daemon.start()
  const client = await daemon.client()
  const { job } = await client.call('job.create', { displayName: 'huge', resume: true, files: [{ remoteName: origin.url('/huge'), localName: join(files, 'huge') }] })
  const here = async (): Promise<number> => (await client.call('job.get', { jobId: job.id })).job.progress.bytesTransferred
  await until(async () => await here() > 44 * mebibyte, 'most of it is here')
  const before = await here()
  await cut(daemon)
  await daemon.start()
  const again = await daemon.client()
  await origin.asked('/huge', 2)
  const from = Number(/\d+/.exec(origin.requestsFor('/huge')[1]?.headers.range ?? '0')?.[0])
  // Fetched at 16 MiB a second, so the 16 MiB are the larger part; what came between two ticks is added.
  assert.ok(before - from <= 24 * mebibyte, `${before - from} bytes are fetched again`)
  await again.call('job.wait', { jobId: job.id, states: ['transferred'] })
  await again.call('job.complete', { jobId: job.id })
  assert.ok(readFileSync(join(files, 'huge')).equals(body))
})
