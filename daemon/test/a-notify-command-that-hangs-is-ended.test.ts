// Notify commands that never end: they hold up the owner's other commands for a limited time only, end with their job, and can be seen.
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Daemon, readProcess, until } from './support/daemon.ts'
import { startOrigin } from './support/origin.ts'
import { Program, settledJob } from './support/program.ts'

interface Started {
  readonly daemon: Daemon
  readonly program: Program
  /** A job that is transferred and runs this script as its command. */
  readonly job: (name: string, script: string) => Promise<string>
  /** The process whose number the script of that name wrote into a file beside it. */
  readonly processOf: (name: string) => Promise<number>
}

async function start(t: TestContext, config = ''): Promise<Started> {
  const origin = await startOrigin()
  origin.route('/file', { body: Buffer.from('x') })
  const daemon = await Daemon.start({ config })
  const program = Program.open(daemon.socket)
  t.after(async () => {
    program.close()
    await daemon.close()
    await origin.close()
  })
  const job = (name: string, script: string): Promise<string> => {
    const path = join(daemon.files, name)
    writeFileSync(path, `#!/bin/sh\n${script}\n`)
    chmodSync(path, 0o755)
    return settledJob(program, { urls: [origin.url('/file')], folder: daemon.files, options: { notify: { command: { program: path, args: [] } } } })
  }
  const processOf = async (name: string): Promise<number> => {
    const file = join(daemon.files, `${name}.pid`)
    await until(() => existsSync(file), 'the command runs')
    return Number(readFileSync(file, 'utf8'))
  }
  return { daemon, program, job, processOf }
}

const isAlive = (pid: number): boolean => /^State:\s+[^ZX]/m.test(readProcess(pid, 'status'))
/** Sleeps in a session of its own, which nobody waits for, and itself. */
const hangs = 'setsid sh -c \'echo $$ > "$0.new"; mv "$0.new" "$0.pid"; exec sleep 1000\' "$0" & exec sleep 1000'

test('as many as may run at once hang: they are ended after their time, and a later command is run', async (t) => {
  const { daemon, program, job, processOf } = await start(t, '[callbacks]\ncommandTimeoutSeconds = 4\nretrySeconds = 3600\nretryMaximumSeconds = 3600\n')
  const names = ['one', 'two', 'three', 'four']
  const jobs = await Promise.all(names.map((name) => job(name, hangs)))
  const pids = await Promise.all(names.map(processOf))
  const waiting = await job('good', 'touch "$0.done"')
  const explained = async (jobId: string): Promise<{ detail: string | null; until: number | null }> => {
    const [first] = (await program.call('job.explain', { jobId })).reasons
    return first ?? assert.fail('there is no reason')
  }
  const { detail, until: end } = await explained(jobs[0] ?? '')
  assert.match(detail ?? '', /job\.complete\. The notify command .*\/one runs for the event transferred, for the 1st time\.$/)
  assert.ok(end !== null && end > Date.now() - 4000 && end <= Date.now() + 4000)
  assert.match((await explained(waiting)).detail ?? '', /The notify command waits for its turn\.$/)
  await until(() => existsSync(join(daemon.files, 'good.done')), 'the later command is run')
  await until(() => !pids.some(isAlive), 'what hung is gone')
  assert.match((await explained(jobs[0] ?? '')).detail ?? '', /failed 1 times and is run again\.$/)
})

test('the command of a job that is cancelled ends at once, with all that it started', async (t) => {
  const { program, job, processOf } = await start(t)
  const jobId = await job('hangs', hangs)
  const pid = await processOf('hangs')
  assert.ok(isAlive(pid))
  await program.call('job.cancel', { jobId })
  await until(() => !isAlive(pid), 'it is gone')
})

test('one whose job is completed has a moment more, in which it can do something with the files', async (t) => {
  const { daemon, program, job, processOf } = await start(t)
  const useful = await job('useful', 'echo $$ > "$0.pid"; until test -e "$0.go"; do sleep 0.1; done; touch "$0.done"')
  const endless = await job('endless', hangs)
  const pids = [await processOf('useful'), await processOf('endless')]
  for (const jobId of [useful, endless]) await program.call('job.complete', { jobId })
  assert.deepEqual(pids.map(isAlive), [true, true])
  writeFileSync(join(daemon.files, 'useful.go'), '')
  await until(() => existsSync(join(daemon.files, 'useful.done')), 'it came to its end')
  await until(() => !pids.some(isAlive), 'both are gone')
})
