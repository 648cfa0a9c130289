import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from './client.ts'
import { startDaemonProcess, type DaemonProcess } from './test/daemon-process.ts'
import { startOrigin, type Origin } from './test/origin.ts'

const readme = join(import.meta.dirname, '..', 'README.md')

interface Told { readonly child: ChildProcess; readonly ended: Promise<{ exitCode: number | null; said: string }> }

async function examples(t: TestContext): Promise<{ daemon: DaemonProcess; origin: Origin; start: (at: number) => Promise<Told> }> {
  const daemon = await startDaemonProcess()
  t.after(() => daemon.close())
  const origin = await startOrigin()
  t.after(() => origin.close())
  await mkdir(join(daemon.folder, 'srv'))
  const texts = [...(await readFile(readme, 'utf8')).matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code ?? '')
  assert.equal(texts.length, 2)
  const start = async (at: number): Promise<Told> => {
    const code = texts[at]?.replaceAll("'backhaul'", JSON.stringify(new URL('index.ts', import.meta.url).href))
      .replaceAll('https://example.org/', origin.url('/')).replaceAll("'/srv/", `'${daemon.folder}/srv/`)
    const path = join(daemon.folder, `example-${at}.mjs`)
    await writeFile(path, code ?? '')
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), path], { env: daemon.environment, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => { said += bytes.toString() })
    return { child, ended: once(child, 'close').then(([exitCode]) => ({ exitCode: exitCode as number | null, said })) }
  }
  return { daemon, origin, start }
}

test('the short example of the README leaves the file under its name', async (t) => {
  const { daemon, origin, start } = await examples(t)
  const body = randomBytes(200_000)
  origin.serve('/model.bin', body)
  const { exitCode, said } = await (await start(0)).ended
  assert.equal(exitCode, 0, said)
  assert.deepEqual(await readFile(join(daemon.folder, 'srv', 'model.bin')), body)
})

test('the program of the README is killed in the middle, started again, and told', async (t) => {
  const { daemon, origin, start } = await examples(t)
  const body = randomBytes(2_000_000)
  origin.serve('/model.bin', body, { holdAfter: 500_000 })
  const first = await start(1)
  await using client = await connect({ socket: daemon.socket })
  for await (const event of client.watch()) if (event.kind === 'progress' || event.job?.state === 'transferring') break
  first.child.kill('SIGKILL')
  await first.ended
  assert.equal(existsSync(join(daemon.folder, 'srv', 'model.bin')), false)

  origin.release('/model.bin')
  const second = await start(1)
  assert.deepEqual(await second.ended, { exitCode: 0, said: 'here it is: model.bin\n' })
  assert.deepEqual(await readFile(join(daemon.folder, 'srv', 'model.bin')), body)
  assert.deepEqual(await (await start(1)).ended, { exitCode: 0, said: '' })
})
