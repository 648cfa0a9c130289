import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startDaemonProcess } from './test/daemon-process.ts'
import { startOrigin } from './test/origin.ts'

test('every example of the README runs as it stands', async (t) => {
  const daemon = await startDaemonProcess()
  t.after(() => daemon.close())
  const origin = await startOrigin()
  t.after(() => origin.close())
  origin.serve('/disk.iso', Buffer.from('disk'))
  origin.serve('/a.bin', Buffer.from('a'))
  await mkdir(join(daemon.folder, 'srv', 'images'), { recursive: true })
  const readme = await readFile(join(import.meta.dirname, 'README.md'), 'utf8')
  const examples = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code ?? '')
  assert.equal(examples.length, 3)
  for (const [at, example] of examples.entries()) {
    const code = example
      .replaceAll("'backhaul'", JSON.stringify(new URL('index.ts', import.meta.url).href))
      .replaceAll('https://example.org/', origin.url('/'))
      .replaceAll("'/srv/", `'${daemon.folder}/srv/`)
    const path = join(daemon.folder, `example-${at}.mjs`)
    // What stays open by intention would keep the example going.
    const close = /\nconst registration/.test(code) ? '\nawait registration.close()\nclient.close()\n' : ''
    await writeFile(path, code + close)
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), path], { env: daemon.environment, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (bytes: Buffer) => { said += bytes.toString() })
    const [exitCode] = await once(child, 'close')
    assert.equal(exitCode, 0, `${example}\n${said}`)
  }
  assert.equal(await readFile(join(daemon.folder, 'srv', 'images', 'disk.iso'), 'utf8'), 'disk')
  assert.equal(await readFile(join(daemon.folder, 'srv', 'a.bin'), 'utf8'), 'a')
})
