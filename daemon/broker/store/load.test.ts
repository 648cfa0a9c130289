import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { defaultOptions } from '../../../protocol/options.ts'
import { newJob, withProgress, type JobRecord } from '../../core/job.ts'
import type { Log } from '../../log.ts'
import { endedKey, filesKey, jobKey } from './keys.ts'
import { LevelStore } from './level-store.ts'
import { load } from './load.ts'
import { jobOperations } from './records.ts'

const folder = mkdtempSync(join(tmpdir(), 'backhaul-load-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const said: unknown[] = []
const quiet = (): void => {}
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: (fields, message) => void said.push([fields, message]), child: () => log }

function job(number: number): JobRecord {
  const files = [0, 1].map((at) => ({ remoteName: `http://127.0.0.1/${number}/${at}`, localName: `/tmp/${number}-${at}` }))
  return newJob({
    id: `id-${9 - number}`, number, owner: { id: '1000', name: 'ann' }, exempt: false, now: number, displayName: `job ${number}`, type: 'download',
    description: '', application: null, clientToken: null, priority: 'normal', options: defaultOptions, files,
  })
}

test('jobs come back as they were, in the order of their numbers; one of which a part is gone, or that has ended, does not, and that is said', async () => {
  const store = await LevelStore.open(join(folder, 'queue'), log)
  const [first, second, ended, headless, fileless] = [job(1), withProgress(job(2), 1, { done: true }), job(3), job(4), job(5)] as const
  for (const made of [second, first, ended, headless, fileless]) await store.commit(jobOperations(null, made))
  await store.commit([
    { type: 'put', key: endedKey(ended.id), value: '{}' }, { type: 'del', key: jobKey(headless.id) }, { type: 'del', key: filesKey(fileless.id) },
  ])
  const { jobs } = await load(store, log)
  await store.close()
  assert.deepEqual(jobs, [first, second])
  assert.deepEqual(said, [
    [{ jobId: ended.id }, 'a job that has ended came back; it is passed over'],
    [{ jobId: headless.id }, 'a job was lost: only its files are left in the queue'],
    [{ jobId: fileless.id }, 'a job was lost: its files are not in the queue any more'],
  ])
})
