// The rules of a policy that both processes apply: the broker to what a call names, before anything is done, and the worker to what
// it comes to, the real folder behind links and each hop of a redirect. Pure. In a worker they are no wall, since it is its
// owner's process; they keep the honest from being led around a rule.
import { requestTarget } from './request-target.ts'

export interface OwnerRules {
  /** For members of this group; `null`: for everybody. */
  readonly groupId: number | null
  /** `null`: all. A pattern is an absolute folder, `*` for one name in it, `~` first for the owner's home; what lies below is meant too. */
  readonly localFolders: readonly string[] | null
  /** `null`: all. `https://*.example.org/data/*`: in the host `*` stands for names, in the path for anything. */
  readonly remoteNames: readonly string[] | null
}

/** Of the tables in their order, the first for one of the groups; else the first for everybody. */
export function firstFor<Rules extends { readonly groupId: number | null }>(tables: readonly Rules[], groupIds: readonly number[]): Rules | null {
  return tables.find(({ groupId }) => groupId !== null && groupIds.includes(groupId)) ?? tables.find(({ groupId }) => groupId === null) ?? null
}

/** Does the folder, an absolute path, lie in one of those allowed? */
export function isFolderAllowed(patterns: readonly string[] | null, folder: string, home: string): boolean {
  if (patterns === null) return true
  const path = stepsOf(folder)
  return patterns.some((pattern) => {
    const wanted = stepsOf(pattern === '~' || pattern.startsWith('~/') ? home + pattern.slice(1) : pattern)
    return wanted.length <= path.length && wanted.every((step, at) => step === '*' || step === path[at])
  })
}

export function isRemoteNameAllowed(patterns: readonly string[] | null, remoteName: string): boolean {
  if (patterns === null) return true
  const url = new URL(remoteName)
  // Servers differ in what they make of `..` and its disguises: what is asked for must be allowed either way.
  const paths = [url.pathname + url.search, requestTarget(remoteName)]
  return patterns.some((pattern) => {
    const [, scheme = '', host = '', path = ''] = /^(https?):\/\/([^/]+)(\/.*)?$/.exec(pattern) ?? []
    // Of a URL only what the connection is made to, and the path: a name and password before the host prove nothing.
    return url.protocol === `${scheme}:` && matches(host, url.host, '[^/:@]*') && paths.every((each) => matches(path === '' ? '/*' : path, each, '.*'))
  })
}

function matches(pattern: string, text: string, star: string): boolean {
  return new RegExp(`^${pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join(star)}$`, 's').test(text)
}

function stepsOf(path: string): string[] {
  return path.split('/').filter((step) => step !== '')
}
