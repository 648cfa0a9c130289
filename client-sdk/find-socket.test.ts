import assert from 'node:assert/strict'
import { chmod, chown, mkdir, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { findSocket } from './find-socket.ts'
import { makeSurroundings } from './test/daemon-process.ts'

/** Something that listens where the user's daemon would. */
async function listen(t: TestContext): Promise<{ folder: string; path: string; environment: Record<string, string | undefined> }> {
  const { folder: scratch, environment } = await makeSurroundings()
  const folder = join(scratch, 'run', 'backhaul')
  const path = join(folder, 'backhaul.sock')
  await mkdir(folder, { mode: 0o700 })
  const server = createServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.after(async () => {
    await new Promise((resolve) => server.close(resolve))
    await rm(scratch, { recursive: true })
  })
  return { folder, path, environment }
}

/** Where `findSocket` ends up, which may be a system daemon of this machine; `null` where nobody answers. */
async function found(environment: Record<string, string | undefined>, named?: string): Promise<string | null> {
  const opened = await findSocket(named, environment).catch(() => null)
  opened?.socket.destroy()
  return opened?.path ?? null
}

test("the user's socket is found in a folder that is his alone", async (t) => {
  const { path, environment } = await listen(t)
  assert.equal(await found(environment), path)
})

test('a socket in a folder that others can write is used only if it is named', async (t) => {
  const { folder, path, environment } = await listen(t)
  await chmod(folder, 0o777)
  assert.notEqual(await found(environment), path)
  assert.equal(await found(environment, path), path)
  assert.equal(await found({ ...environment, BACKHAUL_SOCKET: path }), path)
})

test("a socket in somebody else's folder is not used", { skip: process.getuid?.() !== 0 && 'only root can give a folder away' }, async (t) => {
  const { folder, path, environment } = await listen(t)
  await chown(folder, 12_345, 12_345)
  assert.notEqual(await found(environment), path)
})

test('a link in place of the folder is not followed', async (t) => {
  const { folder, environment } = await listen(t)
  const runtime = join(folder, 'elsewhere')
  await mkdir(runtime)
  await symlink(folder, join(runtime, 'backhaul'))
  assert.notEqual(await found({ ...environment, XDG_RUNTIME_DIR: runtime }), join(runtime, 'backhaul', 'backhaul.sock'))
})
