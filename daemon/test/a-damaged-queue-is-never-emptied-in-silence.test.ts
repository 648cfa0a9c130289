// Each kind of damage to the files of the queue: the daemon says it and keeps a copy, or does not start. What it must never do is
// start with fewer jobs than were acknowledged and say nothing.
import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Daemon } from './support/daemon.ts'

const jobs = 40
const daemon = Daemon.make()
const sound = join(daemon.folder, 'sound')
const queue = join(daemon.state, 'queue')

before(async () => {
  // Twice, so that there are tables as well as a write log.
  for (let start = 0; start < 2; start++) {
    await daemon.start()
    const client = await daemon.client()
    for (let at = 0; at < jobs / 2; at++) await client.call('job.create', { displayName: `${start} ${at}` })
    await daemon.kill9()
  }
  cpSync(daemon.state, sound, { recursive: true })
})
after(() => daemon.close())

function filesLike(pattern: RegExp): string[] {
  return readdirSync(queue).filter((name) => pattern.test(name)).map((name) => join(queue, name))
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  const place = Math.floor(bytes.length * at)
  bytes[place] = (bytes[place] ?? 0) ^ 0x55
  writeFileSync(path, bytes)
}

const damages: Readonly<Record<string, () => void>> = {
  'the file CURRENT is gone': () => rmSync(join(queue, 'CURRENT')),
  'the file CURRENT is empty': () => truncateSync(join(queue, 'CURRENT')),
  'the manifest is gone': () => filesLike(/^MANIFEST/).forEach((path) => rmSync(path)),
  'the manifest is cut': () => filesLike(/^MANIFEST/).forEach((path) => truncateSync(path, Math.floor(statSync(path).size / 2))),
  'a byte of the manifest is wrong': () => filesLike(/^MANIFEST/).forEach((path) => flip(path, 0.3)),
  'the write log is gone': () => filesLike(/\.log$/).forEach((path) => rmSync(path)),
  'a byte early in the write log is wrong': () => filesLike(/\.log$/).forEach((path) => flip(path, 0.05)),
  'a byte in the middle of the write log is wrong': () => filesLike(/\.log$/).forEach((path) => flip(path, 0.5)),
  'the tables are gone': () => filesLike(/\.ldb$/).forEach((path) => rmSync(path)),
  'the tables are cut': () => filesLike(/\.ldb$/).forEach((path) => truncateSync(path, Math.floor(statSync(path).size / 2))),
  'a byte early in the tables is wrong': () => filesLike(/\.ldb$/).forEach((path) => flip(path, 0.1)),
  'a byte late in the tables is wrong': () => filesLike(/\.ldb$/).forEach((path) => flip(path, 0.9)),
}

for (const [damage, harm] of Object.entries(damages)) {
  test(damage, async (t) => {
    rmSync(daemon.state, { recursive: true, force: true })
    cpSync(sound, daemon.state, { recursive: true })
    harm()
    daemon.said = ''
    try {
      await daemon.start()
    } catch {
      // It did not start, which is right where it says why.
      const lines = daemon.said.trim().split('\n').filter((line) => !line.startsWith('{'))
      assert.equal(lines.length, 1, daemon.said)
      assert.match(lines[0] ?? '', /queue|state/)
      t.diagnostic(`does not start: ${lines[0]?.replaceAll(daemon.folder, '')}`)
      return
    }
    const left = (await (await daemon.client()).call('job.list', { limit: 1000 })).jobs.length
    const loud = daemon.log().filter(({ level }) => level === 'error')
    t.diagnostic(`${left} of ${jobs} jobs left, ${loud.length} errors in the log`)
    if (left < jobs) {
      assert.ok(loud.length > 0, 'what was lost is said')
      assert.ok(readdirSync(daemon.state).some((name) => name.includes('damaged')), 'a copy is kept')
    }
    // What is left can be worked with.
    const client = await daemon.client()
    await client.call('job.create', { displayName: 'new' })
    const again = await daemon.restart()
    assert.equal((await again.call('job.list', { limit: 1000 })).jobs.length, left + 1)
    await daemon.kill9()
  })
}
