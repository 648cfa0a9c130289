// The certificate authorities that this machine trusts. Node knows only its own list; a worker is told of the system's
// too, so that what `curl` can fetch on this machine the service can fetch as well.
import { existsSync } from 'node:fs'

/** Where systems keep them, in one file: Debian and most others, Fedora and its kin, SUSE, macOS and the BSDs. */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/** A PEM file, or `null` where none is known; Windows keeps its authorities elsewhere. */
export function systemAuthorities(): string | null {
  return process.platform === 'win32' ? null : bundles.find((file) => existsSync(file)) ?? null
}
