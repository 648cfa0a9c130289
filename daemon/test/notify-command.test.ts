import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Daemon, until } from './support/daemon.ts'
import { Program, refuse, settledJob, startJob } from './support/program.ts'
import { openService } from './support/service.ts'
import { onlyRoot, openUsers } from './support/users.ts'

const config = '[callbacks]\nretrySeconds = 0.02\nretryMaximumSeconds = 0.05\n'
const { daemon, origin, program } = await openService(config)

/** A program that writes a line for each of its runs, then does what is said. */
function script(name: string, then: string, folder: string = daemon.files): { path: string; runs: () => string[] } {
  const path = join(folder, name)
  const log = `${path}.log`
  writeFileSync(path, `#!/bin/sh\necho "$*" >> ${log}\n${then}\n`)
  chmodSync(path, 0o755)
  return { path, runs: () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []) }
}

const wanted = (path: string, args: string[] = [], url = '/file'): Parameters<typeof startJob>[1] =>
  ({ urls: [origin.url(url)], folder: daemon.files, options: { notify: { command: { program: path, args } } } })

async function isReplayed(jobId: string): Promise<boolean> {
  const one = program()
  one.answer = refuse
  return (await one.register({ jobIds: [jobId], events: ['transferred', 'error'] })).replayed === 1
}

test('with no endpoint the command is run once, its last arguments the job and the kind, and its success acknowledges', async () => {
  const { path, runs } = script('plain', 'exit 0')
  const one = program()
  const transferred = await settledJob(one, wanted(path, ['a b', '$HOME', '*']))
  const failed = await settledJob(one, wanted(path, [], '/missing'))
  await until(() => runs().length === 2, 'both runs')
  assert.deepEqual(runs(), [`a b $HOME * ${transferred} transferred`, `${failed} error`])
  const again = await daemon.restart()
  again.close()
  await program().call('system.ping', {})
  assert.equal(runs().length, 2)
})

test('the environment of the command is made from nothing', async () => {
  const { path, runs } = script('environment', 'env >> "$0.env"; touch "$0.done"')
  const one = program()
  const jobId = await settledJob(one, wanted(path))
  await until(() => existsSync(`${path}.done`), 'the run')
  assert.equal(runs().length, 1)
  const environment = Object.fromEntries(readFileSync(`${path}.env`, 'utf8').trimEnd().split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)))
  for (const name of ['PWD', 'SHLVL', '_', 'OLDPWD', 'LANG', 'TZ']) delete environment[name]
  assert.deepEqual(Object.keys(environment).sort(), ['BACKHAUL_EVENT', 'BACKHAUL_JOB_ID', 'BACKHAUL_SOCKET', 'HOME', 'LOGNAME', 'PATH', 'USER'])
  assert.equal(environment['BACKHAUL_JOB_ID'], jobId)
  assert.equal(environment['BACKHAUL_EVENT'], 'transferred')
  assert.equal(environment['BACKHAUL_SOCKET'], daemon.socket)
})

test('a command that fails is run ten times, and again after the next start', async () => {
  const { path, runs } = script('failing', 'exit 3')
  await settledJob(program(), wanted(path))
  await until(() => runs().length === 10, 'ten runs')
  await until(() => daemon.said.includes('failed too often'), 'the end of it')
  assert.equal(runs().length, 10)
  await daemon.restart()
  await until(() => runs().length >= 11, 'a run after the start')
})

test('a program that is not there is no success', async () => {
  const jobId = await settledJob(program(), wanted('/nowhere/at/all'))
  await until(() => daemon.log().filter((line) => line['jobId'] === jobId && String(line['msg']).includes('too often')).length === 1, 'the end of the tries')
  assert.equal(await isReplayed(jobId), true)
})

test('with a live endpoint the command is not run; when its call fails the command is run instead, and it is not called again', async () => {
  const { path, runs } = script('instead', 'exit 0')
  const one = program()
  await one.register({ application: 'instead' })
  const acknowledged = await settledJob(one, { ...wanted(path), application: 'instead' })
  await one.toldOf(1)
  one.answer = refuse
  const refused = await settledJob(one, { ...wanted(path), application: 'instead' })
  await until(() => runs().length === 1, 'the run')
  assert.deepEqual(runs(), [`${refused} transferred`])
  assert.deepEqual(one.told.map(({ job, attempt }) => [job.id, attempt]), [[acknowledged, 1], [refused, 1]])
})

test('when the connection is lost during the call the command is run', async () => {
  const { path, runs } = script('lost', 'exit 0')
  const one = program()
  await one.register({ application: 'lost' })
  one.answer = () => one.close()
  const jobId = await startJob(program(), { ...wanted(path), application: 'lost' })
  await until(() => runs().length === 1, 'the run')
  assert.deepEqual(runs(), [`${jobId} transferred`])
})

test('a command that completes the job is not run again although it fails', async () => {
  const completing = join(daemon.files, 'complete.mjs')
  writeFileSync(completing, `import net from 'node:net'
const socket = net.connect(process.env.BACKHAUL_SOCKET)
socket.write(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'job.complete', params: { jobId: process.argv.at(-2) } }) + '\\n')
socket.once('data', () => process.exit(1))
`)
  const { path, runs } = script('completing', `exec ${process.execPath} ${completing} "$@"`)
  const one = program()
  const jobId = await startJob(one, wanted(path))
  const { job } = await one.call('job.wait', { jobId, states: ['acknowledged'], timeoutSeconds: 30 })
  assert.equal(job.state, 'acknowledged')
  assert.equal(runs().length, 1)
  const marker = script('marker', 'exit 0')
  await settledJob(one, wanted(marker.path))
  await until(() => marker.runs().length === 1, 'a later run')
  assert.equal(runs().length, 1)
})

test('the command is run as the owner, in system mode', { skip: onlyRoot }, async () => {
  const users = openUsers()
  const system = await Daemon.start({ mode: 'system', config, flags: ['--log-level', 'debug'] })
  const owner = users.make('owner')
  const one = Program.open(system.socket, owner)
  try {
    const { path, runs } = script('who', 'echo "$(id -u) $HOME $USER" >> "$0.log"', system.files)
    const jobId = await settledJob(one, { ...wanted(path), folder: owner.home })
    await until(() => system.said.includes('the notify command was run'), 'the end of the run')
    assert.deepEqual(runs(), [`${jobId} transferred`, `${owner.uid} ${owner.home} ${owner.name}`])
  } finally {
    one.close()
    await system.close()
    await users.gone()
    users.close()
  }
})
