// The folder of the queue is damaged in many ways; what is opened then is whole records that were written, and that
// something is missing is said, with a copy aside. (Or the start is refused with one sentence.)
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { defaultOptions } from '../../protocol/options.ts'
import { openDatabase, StoreUnusable } from '../broker/store/open.ts'
import { LevelStore } from '../broker/store/level-store.ts'
import { load, type Loaded } from '../broker/store/load.ts'
import { eventOperations, jobOperations, sequenceOperation } from '../broker/store/records.ts'
import { newJob, type JobRecord } from '../core/job.ts'
import type { Log } from '../log.ts'
import { Chance, rounds, seed } from './support/seed.ts'

const folder = mkdtempSync(join(tmpdir(), 'backhaul-damage-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const whole = join(folder, 'whole')

/** Every record of a job that was ever committed, by id; the last is the newest. */
const written = new Map<string, JobRecord[]>()
const sequence = 1000

function logTo(errors: string[]): Log {
  const quiet = (): void => {}
  return { debug: quiet, info: quiet, warn: quiet, error: (fields, message) => void errors.push(`${message} ${JSON.stringify(fields)}`), child: () => logTo(errors) }
}

function job(number: number): JobRecord {
  const id = `${String(number).padStart(8, '0')}-0000-4000-8000-000000000000`
  const files = [0, 1, 2].map((at) => ({ remoteName: `http://127.0.0.1/${number}/${at}?${'x'.repeat(number * 7 % 300)}`, localName: `/tmp/${number}-${at}` }))
  return newJob({
    id, number, owner: { id: '1000', name: 'ann' }, exempt: false, now: number, displayName: `job ${number}`, type: 'download', description: '',
    application: null, clientToken: `token ${number}`, priority: 'normal', options: defaultOptions, files,
  })
}

async function fill(): Promise<void> {
  // Each opening turns the write log into a table, so there are several, and a write log at the end.
  for (let part = 0; part < 5; part++) {
    const store = await LevelStore.open(whole, logTo([]))
    await store.commit([sequenceOperation(sequence)])
    for (let number = part * 20; number < part * 20 + 20; number++) {
      const made = job(number)
      await store.commit([...jobOperations(null, made), ...eventOperations({
        sequence: number + 1, deliveryId: made.id, kind: 'transferred', at: 1, jobId: made.id, ownerId: '1000', fileIndex: null, error: null,
      })])
      written.set(made.id, [made])
    }
    for (const versions of [...written.values()].filter((_, at) => at % 3 === part % 3)) {
      const before = versions[versions.length - 1]
      if (!before) continue
      const next: JobRecord = { ...before, displayName: `${before.displayName}'`, files: before.files.map((file) => ({ ...file, progress: { ...file.progress, done: true } })) }
      await store.commit(jobOperations(before, next))
      versions.push(next)
    }
    await store.close()
  }
}

/** `isLikeCrash`: the end of the write log is missing, as after a crash while it was written; nobody can tell the two apart. */
function damage(at: string, chance: Chance): { readonly what: string; readonly isLikeCrash: boolean } {
  const names = readdirSync(at).filter((name) => /^(\d+\.(ldb|log)|MANIFEST-\d+|CURRENT)$/.test(name))
  const name = chance.of(names)
  const path = join(at, name)
  const { size } = statSync(path)
  const how = chance.of(['flip', 'flip', 'flip', 'cut', 'delete', 'zeros'] as const)
  let from = 0
  if (how === 'delete') rmSync(path)
  else if (how === 'cut') truncateSync(path, chance.below(size))
  else {
    const bytes = readFileSync(path)
    from = chance.below(size)
    if (how === 'zeros') bytes.fill(0, from, Math.min(size, from + 4096))
    else bytes[from] = (bytes[from] ?? 0) ^ (1 << chance.below(8))
    writeFileSync(path, bytes)
  }
  const isEnd = how === 'cut' || (how !== 'delete' && from >= size - 32 * 1024)
  return { what: `${how} ${name} of ${size} at ${from}`, isLikeCrash: name.endsWith('.log') && isEnd }
}

function judge(loaded: Loaded, isSaid: boolean, what: string): void {
  let isComplete = loaded.jobs.length === written.size
  for (const found of loaded.jobs) {
    const versions = written.get(found.id)
    const heads = versions?.map(({ files: _, ...head }) => JSON.stringify(head)) ?? []
    const { files: _, ...head } = found
    assert.ok(heads.includes(JSON.stringify(head)), `${what}: job ${found.id} is none that was written`)
    assert.deepEqual(found.files.map(({ remoteName }) => remoteName), versions?.[0]?.files.map(({ remoteName }) => remoteName), what)
    if (!isDeepStrictEqual(found, versions?.at(-1))) isComplete = false
  }
  if (loaded.unacknowledged.length !== written.size) isComplete = false
  assert.ok(isComplete || isSaid, `${what}: ${loaded.jobs.length} of ${written.size} jobs, ${loaded.unacknowledged.length} events, and not a word`)
  assert.ok(loaded.sequence >= Math.max(0, ...loaded.unacknowledged.map((event) => event.sequence)), `${what}: numbers would come again`)
  assert.ok(isSaid || loaded.sequence >= sequence, what)
}

test('what a damaged queue opens to was written, and that something is missing is said', async (t) => {
  await fill()
  t.diagnostic(`seed ${seed}`)
  const outcomes = { unharmed: 0, said: 0, refused: 0 }
  for (let round = 0; round < rounds(20); round++) {
    const chance = new Chance(seed + round)
    const at = join(folder, `round-${round}`)
    cpSync(whole, at, { recursive: true })
    const { what: done, isLikeCrash } = damage(at, chance)
    const what = `seed ${seed + round}: ${done}`
    const errors: string[] = []
    try {
      const store = await LevelStore.open(at, logTo(errors))
      try {
        judge(await load(store, logTo(errors)), errors.length > 0 || isLikeCrash, what)
      } finally {
        await store.close()
      }
      if (errors.length > 0) outcomes.said++
      else outcomes.unharmed++
      const isAside = readdirSync(folder).some((name) => name.startsWith(`round-${round}.damaged`))
      assert.ok(isAside || errors.every((error) => error.startsWith('a record of the queue is damaged') || error.includes('was lost')), `${what}: no copy: ${errors.join()}`)
      // The second start finds nothing more to say about the folder.
      await (await openDatabase(at, logTo(errors))).close()
    } catch (error) {
      if (!(error instanceof StoreUnusable)) throw error
      assert.doesNotMatch(error.message, /\n/, what)
      outcomes.refused++
    }
    for (const name of readdirSync(folder)) if (name.startsWith(`round-${round}`)) rmSync(join(folder, name), { recursive: true })
  }
  t.diagnostic(JSON.stringify(outcomes))
})
