// The runner of the tests, run on trees made for it: what must make it fail, and what it says in the end.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { test, type TestContext } from 'node:test'
import { text } from 'node:stream/consumers'

const passing = `import { test } from 'node:test'\ntest('passes', () => {})\n`

async function runTests(t: TestContext, files: Record<string, string>, ...args: string[]): Promise<{ status: number; lines: string[] }> {
  const root = await mkdtemp(join(tmpdir(), 'backhaul-test-runner-'))
  t.after(() => rm(root, { recursive: true }))
  for (const [name, content] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), content)
  }
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env // else the inner runner thinks it is a part of ours
  const project = resolve(import.meta.dirname, '..')
  const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/test.ts', '--root', root, ...args], {
    cwd: project, env: environment, stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
  const [status, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { status, lines: (out + err).trimEnd().split('\n') }
}

test('a run ends with the counts, and tells why a test was skipped', async (t) => {
  const { status, lines } = await runTests(t, {
    'protocol/one.test.ts': passing,
    'daemon/core/two.test.ts': `${passing}test('skips', { skip: 'only on another system' }, () => {})\n`,
    'daemon/node_modules/three.test.ts': 'throw new Error("not ours")',
  })
  assert.equal(lines.at(-1), '2 passed, 0 failed, 1 skipped')
  assert.ok(lines.includes('skipped: skips (only on another system)'), lines.join('\n'))
  assert.equal(status, 0)
})

test('a failing test, a broken file and a file without tests each fail the run', async (t) => {
  const { status, lines } = await runTests(t, {
    'protocol/bad.test.ts': `${passing}test('fails', () => { throw new Error('no') })\n`,
    'protocol/broken.test.ts': `import './absent.ts'\n${passing}`,
    'protocol/empty.test.ts': 'export {}\n',
  })
  assert.equal(lines.at(-1), '1 passed, 3 failed, 0 skipped')
  assert.equal(status, 1)
})

test('a run without any test file fails', async (t) => {
  const { status, lines } = await runTests(t, { 'protocol/index.ts': '' })
  assert.equal(lines.at(-1), '0 passed, 1 failed, 0 skipped')
  assert.equal(status, 1)
})

test('a run in which every test was skipped fails', async (t) => {
  const { status } = await runTests(t, { 'protocol/a.test.ts': passing.replace("'passes'", "'passes', { skip: 'why' }") })
  assert.equal(status, 1)
})

test('names choose files, and a name that chooses none fails the run', async (t) => {
  const files = { 'protocol/one.test.ts': passing, 'protocol/two.test.ts': passing }
  assert.equal((await runTests(t, files, 'two')).lines.at(-1), '1 passed, 0 failed, 0 skipped')
  const { status, lines } = await runTests(t, files, 'two', 'three')
  assert.deepEqual(lines, ['failed: no test file is called three', '0 passed, 1 failed, 0 skipped'])
  assert.equal(status, 1)
})

test('a file that does not end in time fails the run', async (t) => {
  const { status, lines } = await runTests(t, {
    'protocol/hangs.test.ts': `import { test } from 'node:test'\ntest('hangs', () => new Promise(() => { setInterval(() => {}, 1000) }))\n`,
  }, '--limit-seconds', '2')
  assert.equal(status, 1)
  assert.match(lines.at(-1) ?? '', /^0 passed, [12] failed, 0 skipped$/)
})

const onLinux = { skip: process.platform !== 'linux' && 'processes are looked for on Linux only' }

test('a process or a temporary folder left behind fails the run, and the process is ended', onLinux, async (t) => {
  const { status, lines } = await runTests(t, {
    'protocol/leaves.test.ts': `${passing}
import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
test('leaves', () => {
  mkdtempSync(tmpdir() + '/backhaul-test-')
  spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' }).unref()
})\n`,
  }, '--grace-seconds', '0')
  assert.equal(status, 1)
  assert.equal(lines.at(-1), '2 passed, 2 failed, 0 skipped')
  const pid = /process (\d+) was left behind/.exec(lines.join('\n'))?.[1]
  assert.ok(pid !== undefined, lines.join('\n'))
  while (isAlive(Number(pid))) await new Promise((resolve) => setImmediate(resolve))
})

test('a process with an environment of its own that lost its parent is left behind too', onLinux, async (t) => {
  const { lines } = await runTests(t, {
    'daemon/worker.js': 'setInterval(() => {}, 1000)\n',
    'daemon/leaves.test.ts': `${passing}
import { spawn } from 'node:child_process'
test('leaves', () => {
  spawn(process.execPath, [import.meta.dirname + '/worker.js'], { env: {}, detached: true, stdio: 'ignore' }).unref()
})\n`,
  }, '--grace-seconds', '1')
  assert.equal(lines.at(-1), '2 passed, 1 failed, 0 skipped')
})

// One that ended and that nobody has waited for yet is listed still, but no longer by its command line.
function isAlive(pid: number): boolean {
  return spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).stdout.includes('setInterval')
}
