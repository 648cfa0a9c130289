import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Commands } from './command.ts'

const node = process.execPath

test('a program gets its arguments untouched, the environment given and nothing else, and the root as folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-command-'))
  try {
    const out = join(folder, 'out')
    const script = 'require("fs").writeFileSync(process.argv[1], JSON.stringify({ args: process.argv.slice(2), environment: process.env, cwd: process.cwd() }))'
    const result = await new Commands().run({ program: node, args: ['-e', script, out, '$HOME; ls', '*'], environment: { BACKHAUL_EVENT: 'error' }, timeoutMs: 20_000 })
    assert.deepEqual(result, { exitCode: 0, message: null })
    assert.deepEqual(JSON.parse(readFileSync(out, 'utf8')), { args: ['$HOME; ls', '*'], environment: { BACKHAUL_EVENT: 'error' }, cwd: '/' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the exit code is told, and so is a program that cannot be started', async () => {
  const commands = new Commands()
  const failing = await commands.run({ program: node, args: ['-e', 'process.exit(3)'], environment: {}, timeoutMs: 20_000 })
  assert.deepEqual(failing, { exitCode: 3, message: null })
  const missing = await commands.run({ program: '/no/such/program', args: [], environment: {}, timeoutMs: 20_000 })
  assert.equal(missing.exitCode, null)
  assert.match(missing.message ?? '', /ENOENT/)
})

test('a program that runs too long is ended together with its children', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-command-'))
  try {
    const pidFile = join(folder, 'pid')
    const script = `const c = require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]); require("fs").writeFileSync(${JSON.stringify(pidFile)}, String(c.pid)); setInterval(() => {}, 1000)`
    const result = await new Commands().run({ program: node, args: ['-e', script], environment: {}, timeoutMs: 1500 })
    assert.equal(result.exitCode, null)
    assert.match(result.message ?? '', /longer/)
    assert.ok(existsSync(pidFile), 'the program had started')
    const pid = Number(readFileSync(pidFile, 'utf8'))
    const isRunning = (): boolean => existsSync(`/proc/${pid}/status`) && !/State:\s+Z/.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    while (isRunning()) await new Promise((resolve) => setImmediate(resolve))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
