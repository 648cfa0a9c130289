// What Node wants to be told when it opens a socket, and what it does not tell of one.
import { constants } from 'node:os'
import type { Socket } from 'node:net'
import type { ConnectionOptions, SecureContext } from 'node:tls'

export interface Endpoint {
  readonly secure: boolean
  readonly host: string
  /** One of the host's. */
  readonly address: string
  readonly port: number
  /** Certificates beyond those of the system; `null`: none. */
  readonly trust: SecureContext | null
}

export interface OnRead {
  readonly buffer: () => Buffer
  readonly callback: (count: number, bytes: Uint8Array) => boolean
}

export function secureOptions({ host, address, port, trust }: Endpoint, session: Buffer | null, onread: OnRead): ConnectionOptions & { onread: OnRead } {
  return {
    host: address,
    port,
    onread,
    ALPNProtocols: ['http/1.1'],
    // A name, not an address, may be sent along (RFC 6066 §3).
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    ...(session ? { session } : {}),
    ...(trust ? { secureContext: trust } : {}),
  }
}

/**
 * Did TLS end by its own goodbye (close_notify, RFC 8446 §6.1)? Node says `end` either way. But a TCP connection whose end was seen is
 * read no more, and one that is still read refuses to be read twice. Unknown counts as cut. To be asked while `end` is told.
 */
export function closedInOrder(socket: Socket & { readonly _handle?: SecureHandle | null }): boolean {
  const handle = socket._handle
  // Where we had stopped the reading, nothing but the goodbye can have been seen.
  return handle?._parent !== undefined && (handle.reading === false || handle._parent.readStart() === alreadyReads)
}

interface SecureHandle {
  readonly reading?: boolean
  readonly _parent?: { readonly readStart: () => number }
}
/** What libuv answers to whoever starts to read a stream that is being read. */
const alreadyReads = -(process.platform === 'win32' ? 4084 : constants.errno.EALREADY)

/** Node does not publish it; -1 where there is none (any more), which every call refuses. */
export function descriptorOf(socket: Socket & { readonly _handle?: { readonly fd?: number } | null }): number {
  return socket._handle?.fd ?? -1
}
