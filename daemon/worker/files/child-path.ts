// How a name is reached inside a folder that is already open, whatever happens to the folder's own path meanwhile.
// Linux: /proc/self/fd/N stands for the open folder, which makes every call an openat. Elsewhere Node offers
// nothing of the kind, and the path is used.
import { existsSync } from 'node:fs'

export const hasOpenFolderPaths = process.platform === 'linux' && existsSync('/proc/self/fd')

export function childPath(folder: { readonly fd: number; readonly path: string }, name: string): string {
  return hasOpenFolderPaths ? `/proc/self/fd/${folder.fd}/${name}` : `${folder.path.endsWith('/') ? folder.path : `${folder.path}/`}${name}`
}
