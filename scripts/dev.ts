// A daemon as yourself, with everything it keeps in a scratch folder that is removed when it ends: `npm run dev -- --log-level debug`.
// Flags are handed on to the daemon, which is started as a process and never imported.
// Invariant: nothing outside the scratch folder is touched, so it runs beside a real daemon.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const scratch = mkdtempSync(join(tmpdir(), 'backhaul-dev-'))
const socket = join(scratch, 'backhaul.sock')
const config = join(scratch, 'config.toml')
writeFileSync(config, '')
console.error(`another terminal: export BACKHAUL_SOCKET=${socket}; npx backhaul list\n`)

const program = resolve(import.meta.dirname, '..', 'daemon', 'backhauld.js')
const flags = ['--mode', 'user', '--socket', socket, '--state', join(scratch, 'state'), '--config', config]
const daemon = spawn(process.execPath, [program, ...flags, ...process.argv.slice(2)], { stdio: 'inherit' })

process.on('SIGTERM', () => daemon.kill('SIGTERM'))
process.on('SIGINT', () => {}) // the terminal sends it to the daemon too; we wait for its end
daemon.once('close', (code) => {
  rmSync(scratch, { recursive: true, force: true })
  process.exitCode = code ?? 1
})
