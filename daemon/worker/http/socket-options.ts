// What Node wants to be told when it opens a socket, and what it does not tell of one.
import type { Socket } from 'node:net'
import type { ConnectionOptions, SecureContext } from 'node:tls'

export interface Endpoint {
  readonly secure: boolean
  readonly host: string
  readonly port: number
  /** Certificates beyond those of the system; `null`: none. */
  readonly trust: SecureContext | null
}

export interface OnRead {
  readonly buffer: () => Buffer
  readonly callback: (count: number, bytes: Uint8Array) => boolean
}

export function secureOptions({ host, port, trust }: Endpoint, session: Buffer | null, onread: OnRead): ConnectionOptions & { onread: OnRead } {
  return {
    host,
    port,
    onread,
    ALPNProtocols: ['http/1.1'],
    // A name, not an address, may be sent along (RFC 6066 §3).
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    ...(session ? { session } : {}),
    ...(trust ? { secureContext: trust } : {}),
  }
}

/** Node does not publish it; -1 where there is none (any more), which every call refuses. */
export function descriptorOf(socket: Socket & { readonly _handle?: { readonly fd?: number } | null }): number {
  return socket._handle?.fd ?? -1
}
