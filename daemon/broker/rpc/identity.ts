// Who is at the other end of a connection: decided once, from the socket, by what the kernel says. Never from anything
// the caller sent, and never through text. One small file per platform asks. Fails closed: where the answer cannot be had, or is not
// one to trust, `identify` throws and the connection must be refused.
// The credentials are those at `connect()`: a program that connects as root and then becomes somebody else is root here.
import type net from 'node:net'
import { linuxPeer } from './identity-linux.ts'
import { macosPeer } from './identity-macos.ts'
import { windowsPeer } from './identity-windows.ts'
import type { Identity } from './peer-identity.ts'

const peers: { readonly [platform in NodeJS.Platform]?: (fd: number) => Identity } = {
  linux: linuxPeer,
  darwin: macosPeer,
  win32: windowsPeer,
}

export function identify(socket: net.Socket): Identity {
  const peer = peers[process.platform]
  if (!peer) throw new Error(`who is calling cannot be asked on ${process.platform}`)
  return peer(descriptorOf(socket))
}

/** Node does not publish the descriptor of a socket; the test beside this file fails when it moves. */
function descriptorOf(socket: net.Socket & { readonly _handle?: { readonly fd?: number } | null }): number {
  const fd = socket._handle?.fd
  if (typeof fd !== 'number' || !Number.isInteger(fd) || fd < 0) throw new Error('the connection has no descriptor (any more)')
  return fd
}
