import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from './client.ts'
import { startDaemon } from './start.ts'
import { makeSurroundings } from './test/daemon-process.ts'
import { until } from './test/scripted-daemon.ts'

/** The daemons of this scratch folder: the one that came second may still be on its way up when the first one answers. */
function daemonsOf(folder: string): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => pid > 0
    && listOf(pid, 'cmdline').some((word) => word.endsWith('backhauld.js')) && listOf(pid, 'environ').includes(`XDG_RUNTIME_DIR=${folder}/run`))
}

function listOf(pid: number, name: 'cmdline' | 'environ'): string[] {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8').split('\0')
  } catch {
    // It has ended meanwhile, or is not ours.
    return []
  }
}

async function endDaemons(folder: string): Promise<void> {
  await until(() => daemonsOf(folder).length <= 1, 'the end of the second daemon')
  for (const pid of daemonsOf(folder)) process.kill(pid, 'SIGTERM')
  await until(() => daemonsOf(folder).length === 0, 'the end of the daemon')
}

test('two that start a daemon at the same time end up with the same one', { skip: process.platform !== 'linux' && 'asks /proc what is left' }, async (t) => {
  const { folder, environment } = await makeSurroundings()
  t.after(async () => {
    await endDaemons(folder)
    await rm(folder, { recursive: true, force: true })
  })
  const [first, second] = await Promise.all([startDaemon({ environment }), startDaemon({ environment })])
  assert.equal(first, join(folder, 'run', 'backhaul', 'backhaul.sock'))
  assert.equal(second, first)
  assert.equal(statSync(join(folder, 'state', 'backhaul')).mode & 0o777, 0o700)
  assert.equal(statSync(join(folder, 'state', 'backhaul', 'daemon.log')).mode & 0o777, 0o600)
  await using client = await connect({ socket: first })
  await client.ping()
})

test('a daemon that cannot start is reported with what it said last', async (t) => {
  const { folder, environment } = await makeSurroundings()
  t.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'config', 'backhaul'))
  await writeFile(join(folder, 'config', 'backhaul', 'config.toml'), 'noSuchKey = 1\n')
  await assert.rejects(startDaemon({ environment }), (error) => error instanceof Error && 'kind' in error && error.kind === 'no-daemon' && /noSuchKey/.test(error.message))
})

test('no daemon is started, and nothing is sent, where somebody else can put a socket', async (t) => {
  const { folder, environment } = await makeSurroundings()
  t.after(() => rm(folder, { recursive: true, force: true }))
  const place = join(folder, 'run', 'backhaul')
  await mkdir(place, { recursive: true })
  await chmod(place, 0o777)
  const said: string[] = []
  const other = createServer((socket) => socket.on('data', (bytes) => said.push(bytes.toString())))
  t.after(() => { other.close() })
  other.listen(join(place, 'backhaul.sock'))
  await once(other, 'listening')
  await assert.rejects(startDaemon({ environment }), (error) => error instanceof Error && 'kind' in error && error.kind === 'no-daemon' && /not trusted/.test(error.message))
  assert.deepEqual([said, readdirSync(join(folder, 'state'))], [[], []])
})
