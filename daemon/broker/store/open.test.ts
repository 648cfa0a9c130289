import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Log } from '../../log.ts'
import { openDatabase } from './open.ts'

const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => quiet }

test('a database whose mark cannot be written is closed, and can be opened once it can', async (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), 'backhaul-open-')), 'queue')
  t.after(() => rmSync(join(folder, '..'), { recursive: true }))
  // A folder stands where the mark is to be written.
  mkdirSync(`${folder}.made.new`)
  await assert.rejects(openDatabase(folder, quiet), /cannot be opened/)
  assert.ok(!existsSync(`${folder}.made`))
  rmSync(`${folder}.made.new`, { recursive: true })
  await (await openDatabase(folder, quiet)).close()
  assert.ok(existsSync(`${folder}.made`))
})
