// The daemon's side of a socket, scripted by a test: it answers what the test says, when the test says so, and can
// lose its connections. For what the real daemon does only by chance (a callback before the answer, a lost answer);
// everything else is tested with the real one.
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPeer, type Peer } from '../../protocol/peer.ts'
import { protocolVersion } from '../../protocol/version.ts'

export type Answer = (params: Record<string, unknown>, connection: ScriptedConnection) => unknown

export interface ScriptedConnection {
  readonly peer: Peer
  lose(): void
}

export interface ScriptedDaemon {
  readonly socket: string
  /** The calls that came, in order, the hellos left out. */
  readonly calls: { readonly method: string; readonly params: Record<string, unknown> }[]
  readonly connections: ReadonlySet<ScriptedConnection>
  /** Loses all connections and listens no more. */
  stop(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

const hello = {
  protocol: protocolVersion,
  daemon: { name: 'backhauld', version: '0', instanceId: 'scripted', mode: 'user', startedAt: 0, pid: 1 },
  caller: { id: '0', name: 'root', role: 'user' },
  limits: { jobsPerMachine: 300, jobsPerUser: 60, filesPerJob: 200, rangesPerFile: 500 },
  capabilities: [],
}

export async function startScriptedDaemon(answers: Readonly<Record<string, Answer>>): Promise<ScriptedDaemon> {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-test-'))
  const path = join(folder, 'scripted.sock')
  const connections = new Set<ScriptedConnection>()
  const calls: { method: string; params: Record<string, unknown> }[] = []
  let server: Server | null = null

  const serve = (socket: Socket): void => {
    const all: Record<string, Answer> = { 'session.hello': () => hello, ...answers }
    const connection: ScriptedConnection = {
      peer: createPeer({
        send: (line) => void socket.write(line),
        methods: new Map(Object.entries(all).map(([method, answer]) => [method, (params: unknown) => {
          const given = params as Record<string, unknown>
          if (method !== 'session.hello') calls.push({ method, params: given })
          return answer(given, connection)
        }])),
        onBreach: () => socket.destroy(),
        onDefect: (error) => { throw error },
      }),
      lose: () => socket.destroy(),
    }
    connections.add(connection)
    socket.on('data', (bytes) => connection.peer.receive(bytes))
    socket.on('error', () => {})
    socket.on('close', () => {
      connection.peer.close()
      connections.delete(connection)
    })
  }
  const start = async (): Promise<void> => {
    const listening = createServer(serve)
    server = listening
    await new Promise<void>((resolve, reject) => {
      listening.once('error', reject)
      listening.listen(path, resolve)
    })
  }
  const stop = async (): Promise<void> => {
    for (const connection of connections) connection.lose()
    const closing = server
    server = null
    if (closing) await new Promise<void>((resolve) => void closing.close(() => resolve()))
  }
  await start()
  return {
    socket: path, calls, connections, start, stop,
    async close() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Resolves when the condition holds; fails after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 10_000
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`never came: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
