// The version of the protocol and what makes two versions compatible: within a major version results only
// gain members and methods are only added, so the same major is enough.

export const protocolVersion = '1.0'

/** The version of the programs; kept equal to package.json by a test. */
export const packageVersion = '0.1.0'

export function isCompatible(wanted: string): boolean {
  return wanted.split('.')[0] === protocolVersion.split('.')[0]
}

/** What a client may `require` in `session.hello`. A name stays once it is given. */
export const capabilities = [
  'download', 'resume', 'ranges', 'checksum', 'history', 'client-token', 'policy', 'callbacks', 'socket-endpoints', 'notify-command', 'events-watch',
] as const
export type Capability = (typeof capabilities)[number]
