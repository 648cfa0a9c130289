// A small origin on loopback for the tests of the SDK: files with ranges, and answers that stop in the middle until
// they are released. For servers that are wrong, the daemon's own tests have a better one.
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Origin {
  url(path: string): string
  /** Serves `body`; after `holdAfter` bytes of it nothing more comes until `release(path)`. */
  serve(path: string, body: Buffer, options?: { readonly holdAfter?: number }): void
  /** Answers with this status. */
  refuse(path: string, status: number): void
  release(path: string): void
  readonly asked: readonly string[]
  close(): Promise<void>
}

interface Served {
  readonly body: Buffer
  readonly status: number
  holdAfter: number
  readonly held: Set<() => void>
}

export async function startOrigin(): Promise<Origin> {
  const served = new Map<string, Served>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    asked.push(path)
    const entry = served.get(path)
    if (!entry || entry.status !== 200) return void response.writeHead(entry?.status ?? 404).end()
    const [, from] = /^bytes=(\d+)-/.exec(request.headers.range ?? '') ?? []
    const [, to] = /-(\d+)$/.exec(request.headers.range ?? '') ?? []
    answer(entry, from === undefined ? null : Number(from), to === undefined ? entry.body.length - 1 : Number(to), response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const add = (path: string, entry: Partial<Served>): void => {
    served.set(path, { body: Buffer.alloc(0), status: 200, holdAfter: Infinity, held: new Set(), ...entry })
  }
  return {
    asked,
    url: (path) => `http://127.0.0.1:${port}${path}`,
    serve: (path, body, { holdAfter = Infinity } = {}) => add(path, { body, holdAfter }),
    refuse: (path, status) => add(path, { status }),
    release(path) {
      const entry = served.get(path)
      if (!entry) return
      entry.holdAfter = Infinity
      for (const goOn of entry.held) goOn()
      entry.held.clear()
    },
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}

function answer(entry: Served, from: number | null, to: number, response: ServerResponse): void {
  const { body } = entry
  const start = from ?? 0
  response.writeHead(from === null ? 200 : 206, {
    'etag': '"one"', 'content-length': to + 1 - start, 'accept-ranges': 'bytes',
    ...(from === null ? {} : { 'content-range': `bytes ${start}-${to}/${body.length}` }),
  })
  const hold = Math.max(start, Math.min(entry.holdAfter, to + 1))
  response.write(body.subarray(start, hold))
  const goOn = (): void => void response.end(body.subarray(hold, to + 1))
  if (hold <= to) entry.held.add(goOn)
  else goOn()
}
