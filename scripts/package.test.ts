// What a clone and a published package promise: both programs start from anywhere, the SDK can be imported, the lock is clean.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { packageVersion } from '../protocol/version.ts'

const root = resolve(import.meta.dirname, '..')
const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-test-package-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

function run(args: readonly string[], cwd: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd, encoding: 'utf8' })
}

test('the lock names no place to download from, and is of the same version as package.json and the programs', () => {
  assert.doesNotMatch(lock, /"resolved": *"https?:/)
  const versions = [lock, readFileSync(join(root, 'package.json'), 'utf8')].map((text) => (JSON.parse(text) as { version: string }).version)
  assert.deepEqual(versions, [packageVersion, packageVersion])
})

test('the command line starts from its sources in any folder, whatever TypeScript settings lie there', (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'tsconfig.json'), '{ not json')
  const { status, stdout, stderr } = run([join(root, 'client-sdk/cli/backhaul.js'), '--version'], folder)
  assert.equal(status, 0, stderr)
  assert.match(stdout, new RegExp(`\\b${packageVersion.replaceAll('.', '\\.')}\\b`))
})

test('the compiled SDK can be imported by plain JavaScript where no package is installed', (t) => {
  const folder = scratch(t)
  const built = run(['--import', 'tsx', 'scripts/build.ts', '--sdk', '--bundle-packages', '--out', join(folder, 'sdk')], root)
  assert.equal(built.status, 0, built.stderr)
  const file = join(folder, 'use.mjs')
  const sdk = pathToFileURL(join(folder, 'sdk/index.js')).href
  writeFileSync(file, `import { connect } from ${JSON.stringify(sdk)}\nconsole.log(typeof connect)\n`)
  assert.equal(run([file], folder).stdout, 'function\n')
})
