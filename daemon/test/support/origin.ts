// A scriptable HTTP server for tests: on loopback, with real sockets, able to be wrong in every way. Each route has
// a script, which says what happens to one request; the server remembers what it was asked. Whatever a script
// cannot say in words it can write byte by byte (`raw`).
import { createHash } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'

export interface OriginRequest {
  readonly method: string
  /** Path with query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** How many requests the route had before this one. */
  readonly count: number
  /** Which connection it came over, counted from 0. */
  readonly connection: number
}

export interface Script {
  /** What the file holds. */
  readonly body?: Buffer
  /** Default: 206 if a range was asked for and may be given, else 200. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Default: a strong ETag made from the body. `null`: none. */
  readonly etag?: string | null
  readonly lastModified?: string | null
  /** Default: now. `null`: none. */
  readonly date?: string | null
  /** `false`: ranges are not looked at. */
  readonly ranges?: boolean
  /** `chunked` or `close`: no Content-Length. */
  readonly framing?: 'length' | 'chunked' | 'close'
  /** A Content-Length or Content-Range that is not the true one. */
  readonly announcedLength?: number
  readonly contentRange?: string | null
  /** After so many bytes of this answer's body … */
  readonly cutAfter?: number
  /** … the connection is reset, ended in order, or left as it is without another byte. */
  readonly cut?: 'reset' | 'end' | 'stall'
  /** The body in pieces of this size, each after so many milliseconds. */
  readonly pace?: { readonly bytes: number; readonly everyMs: number }
  /** Exactly these bytes and nothing else; then the connection ends, unless `keepOpen`. */
  readonly raw?: string | Buffer
  readonly keepOpen?: boolean
}

export interface Origin {
  readonly port: number
  url(path: string): string
  /** What happens to requests for `path`: the same each time, or decided from the request. */
  route(path: string, script: Script | ((request: OriginRequest) => Script)): void
  readonly requests: readonly OriginRequest[]
  requestsFor(path: string): OriginRequest[]
  /** Resolves once `path` was asked for `count` times in all. */
  asked(path: string, count?: number): Promise<void>
  /** Ends every open connection in order; resolves when the system was told. */
  endConnections(): Promise<void>
  /** Resets every open connection, but not the one with that number. */
  dropConnections(but?: number): void
  close(): Promise<void>
}

export async function startOrigin(tls?: SecureContextOptions): Promise<Origin> {
  const scripts = new Map<string, Script | ((request: OriginRequest) => Script)>()
  const requests: OriginRequest[] = []
  const sockets: Socket[] = []
  const waiting = new Set<() => void>()
  const requestsFor = (path: string): OriginRequest[] => requests.filter((request) => request.path.split('?')[0] === path)
  const server: Server = tls ? createSecureServer(tls) : createServer()
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.push(socket)
    // Tests end connections in every way; how the other side takes it is seen there.
    socket.on('error', () => socket.destroy())
  })
  server.on('request', (incoming) => {
    const path = incoming.url ?? '/'
    const plain = path.split('?')[0] ?? path
    const { socket } = incoming
    const request = { method: incoming.method ?? '', path, headers: incoming.headers, count: requestsFor(plain).length, connection: sockets.indexOf(socket) }
    requests.push(request)
    for (const look of waiting) look()
    // Never through Node's own response: on a kept connection it would wait for the ones before, which were played past it.
    const script = scripts.get(plain) ?? { status: 404, etag: null }
    void play(typeof script === 'function' ? script(request) : script, request, socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    port,
    requests,
    requestsFor,
    url: (path) => `${tls ? 'https' : 'http'}://127.0.0.1:${port}${path}`,
    route: (path, script) => void scripts.set(path, script),
    asked: (path, count = 1) => new Promise((resolve) => {
      const look = (): void => {
        if (requestsFor(path).length < count) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    }),
    endConnections: async () => {
      await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => void socket.end(resolve))))
    },
    dropConnections: (but) => {
      for (const [number, socket] of sockets.entries()) if (number !== but) reset(socket)
    },
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
      for (const socket of sockets) socket.destroy()
    }),
  }
}

/** The bytes are written to the socket directly: Node's own server would refuse to be wrong. */
async function play(script: Script, request: OriginRequest, socket: Socket): Promise<void> {
  if (script.raw !== undefined) {
    if (script.pace) await sendBody(script, Buffer.from(script.raw), 'length', socket)
    else socket.write(script.raw)
    if (!script.keepOpen) socket.end()
    return
  }
  const whole = script.body ?? Buffer.alloc(0)
  const etag = script.etag === undefined ? `"${createHash('sha1').update(whole).digest('hex')}"` : script.etag
  const range = script.ranges === false ? null : askedRange(request, whole.length, etag, script.lastModified ?? null)
  if (range === 'beyond') return void socket.write(`HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */${whole.length}\r\nContent-Length: 0\r\n\r\n`)
  const body = range ? whole.subarray(range.from, range.to) : whole
  const framing = script.framing ?? 'length'
  const status = script.status ?? (range ? 206 : 200)
  const contentRange = script.contentRange === undefined && range ? `bytes ${range.from}-${range.to - 1}/${whole.length}` : script.contentRange ?? null
  const lines = [
    `HTTP/1.1 ${status} Scripted`,
    ...(etag === null ? [] : [`ETag: ${etag}`]),
    ...(script.date === null ? [] : [`Date: ${script.date ?? new Date().toUTCString()}`]),
    ...(script.lastModified ? [`Last-Modified: ${script.lastModified}`] : []),
    ...(contentRange === null ? [] : [`Content-Range: ${contentRange}`]),
    ...(framing === 'length' ? [`Content-Length: ${script.announcedLength ?? body.length}`] : []),
    ...(framing === 'chunked' ? ['Transfer-Encoding: chunked'] : []),
    ...(framing === 'close' ? ['Connection: close'] : []),
    ...Object.entries(script.headers ?? {}).flatMap(([name, value]) => [value].flat().map((each) => `${name}: ${each}`)),
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  await sendBody(script, body.subarray(0, script.cutAfter ?? body.length), framing, socket)
  const isCut = script.cutAfter !== undefined
  if (isCut && script.cut === 'stall') return
  if (isCut && script.cut !== 'end') return reset(socket)
  if (isCut || framing === 'close') socket.end()
}

async function sendBody(script: Script, body: Buffer, framing: string, socket: Socket): Promise<void> {
  const step = script.pace?.bytes ?? 64 * 1024
  for (let at = 0; at < body.length; at += step) {
    if (socket.destroyed) return
    const piece = body.subarray(at, at + step)
    const framed = framing === 'chunked' ? Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]) : piece
    const isTaken = socket.write(framed)
    if (!isTaken && !script.pace) await drained(socket)
    if (script.pace) await new Promise((resolve) => setTimeout(resolve, script.pace?.everyMs))
  }
  if (framing === 'chunked' && script.cutAfter === undefined) socket.write('0\r\n\r\n')
  // What was written must be on its way before the connection is reset.
  await new Promise<void>((resolve) => socket.destroyed ? resolve() : void socket.write('', () => setTimeout(resolve, script.cutAfter === undefined ? 0 : 20)))
}

/** Without a word: over TLS, without its goodbye (close_notify). */
function reset(socket: Socket): void {
  // Node's own `resetAndDestroy` ends the connection in order first, and the other side may see that before the reset.
  if (!('encrypted' in socket)) Object.assign(socket, { resetAndClosing: true })
  socket.destroy()
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      socket.off('drain', go).off('close', go)
      resolve()
    }
    socket.on('drain', go).on('close', go)
  })
}

function askedRange(request: OriginRequest, size: number, etag: string | null, lastModified: string | null): { from: number; to: number } | 'beyond' | null {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  if (!match) return null
  const condition = request.headers['if-range']
  const isSame = typeof condition !== 'string' || (condition === etag && !condition.startsWith('W/')) || condition === lastModified
  if (!isSame) return null
  const from = Number(match[1])
  const to = match[2] === '' ? size : Math.min(Number(match[2]) + 1, size)
  return from >= size ? 'beyond' : { from, to }
}
