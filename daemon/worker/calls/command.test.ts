import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
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
    const result = await new Commands().run({ commandId: 1, program: node, args: ['-e', script, out, '$HOME; ls', '*'], environment: { BACKHAUL_EVENT: 'error' }, timeoutMs: 20_000 })
    assert.deepEqual(result, { exitCode: 0, message: null })
    assert.deepEqual(JSON.parse(readFileSync(out, 'utf8')), { args: ['$HOME; ls', '*'], environment: { BACKHAUL_EVENT: 'error' }, cwd: '/' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the exit code is told, and so is a program that cannot be started', async () => {
  const commands = new Commands()
  const failing = await commands.run({ commandId: 1, program: node, args: ['-e', 'process.exit(3)'], environment: {}, timeoutMs: 20_000 })
  assert.deepEqual(failing, { exitCode: 3, message: null })
  const missing = await commands.run({ commandId: 1, program: '/no/such/program', args: [], environment: {}, timeoutMs: 20_000 })
  assert.equal(missing.exitCode, null)
  assert.match(missing.message ?? '', /ENOENT/)
})

test('a program that runs too long is ended together with its children, those in sessions of their own too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-command-'))
  try {
    const pidFile = join(folder, 'pid')
    const script = `const c = require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true }); require("fs").writeFileSync(${JSON.stringify(pidFile)}, String(c.pid)); setInterval(() => {}, 1000)`
    const result = await new Commands().run({ commandId: 1, program: node, args: ['-e', script], environment: {}, timeoutMs: 1500 })
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

test('what a program left to itself, in a session of its own, is ended with it; what others started is not', { skip: process.platform !== 'linux' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-command-'))
  const bystander = spawn('sleep', ['1000'], { stdio: 'ignore' })
  try {
    const pidFile = join(folder, 'pid')
    // The shell in the middle ends, so that nothing leads from the program to the sleeper any more.
    const script = `(setsid sh -c 'echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 1000' &) & wait; exec sleep 1000`
    const commands = new Commands()
    const environment = { PATH: process.env['PATH'] ?? '', BACKHAUL_JOB_ID: 'a-job', BACKHAUL_EVENT: 'error', BACKHAUL_SOCKET: folder }
    const running = commands.run({ commandId: 7, program: '/bin/sh', args: ['-c', script], environment, timeoutMs: 60_000 })
    while (!existsSync(pidFile)) await new Promise((resolve) => setImmediate(resolve))
    const pid = Number(readFileSync(pidFile, 'utf8'))
    commands.end(8)
    assert.ok(isAlive(pid))
    commands.end(7)
    assert.deepEqual(await running, { exitCode: null, message: 'The program was ended by SIGKILL.' })
    while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(isAlive(bystander.pid ?? 0))
  } finally {
    bystander.kill()
    rmSync(folder, { recursive: true })
  }
})

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/status`) && !/State:\s+Z/.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
}
