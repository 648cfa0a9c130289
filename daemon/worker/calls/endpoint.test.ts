import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createPeer, type Method } from '../../../protocol/peer.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import { Endpoints } from './endpoint.ts'

async function serving(methods: Readonly<Record<string, Method>>, act: (path: string, sockets: readonly Socket[]) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-endpoint-'))
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    const peer = createPeer({ send: (line) => void socket.write(line), methods: new Map(Object.entries(methods)), onBreach: () => {}, onDefect: () => 'test' })
    socket.on('data', (bytes) => peer.receive(bytes))
    socket.on('error', () => socket.destroy())
  })
  const path = join(folder, 'socket')
  await new Promise<void>((resolve) => server.listen(path, resolve))
  try {
    await act(path, sockets)
  } finally {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    rmSync(folder, { recursive: true })
  }
}

test('a program behind a socket is called, and its answer counts whatever it is', async () => {
  const refuse = (): never => {
    throw new Refusal('not-supported')
  }
  await serving({ yes: () => null, no: refuse, never: () => new Promise(() => {}) }, async (path, sockets) => {
    const closed: number[] = []
    const endpoints = new Endpoints((endpointId) => closed.push(endpointId))
    assert.deepEqual(await endpoints.open({ endpointId: 1, path }), { failure: null })
    const call = (method: string, timeoutMs = 5000): Promise<{ answered: boolean }> => endpoints.call({ endpointId: 1, method, params: {}, timeoutMs })
    assert.deepEqual(await call('yes'), { answered: true, message: null })
    assert.equal((await call('no')).answered, false)
    assert.equal((await call('unknown')).answered, false)
    assert.equal((await call('never', 20)).answered, false)
    const pending = call('never')
    const gone = new Promise<void>((resolve) => sockets[0]?.once('close', () => resolve()))
    sockets[0]?.destroy()
    assert.equal((await pending).answered, false)
    await gone
    assert.deepEqual(closed, [1])
    assert.equal((await call('yes')).answered, false)
  })
})

test('what is no socket, or is not there, is refused with a reason', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-endpoint-'))
  const endpoints = new Endpoints(() => {})
  try {
    writeFileSync(join(folder, 'file'), '')
    for (const name of ['file', 'nothing']) {
      const { failure } = await endpoints.open({ endpointId: 1, path: join(folder, name) })
      assert.match(failure ?? '', /socket/)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a program that sends an endless line is disconnected', async () => {
  await serving({}, async (path, sockets) => {
    const closed = new Promise<number>((resolve) => {
      const endpoints = new Endpoints(resolve)
      void endpoints.open({ endpointId: 7, path }).then(() => {
        const flood = (): void => {
          if (!sockets[0]?.destroyed) sockets[0]?.write(Buffer.alloc(256 * 1024, 'x'), flood)
        }
        flood()
      })
    })
    assert.equal(await closed, 7)
  })
})
