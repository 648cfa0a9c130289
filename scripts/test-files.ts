// Which test files there are and which of them were asked for. It reads folders only, never a test.
// Invariant: every name that was given chooses at least one file, or the call throws; so a mistyped name cannot pass.
import { readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

export const sourceFolders = ['protocol', 'client-sdk', 'daemon', 'scripts'] as const

export class NoSuchTest extends Error {}

/** Files below the four folders, as paths relative to `root` with forward slashes, sorted. */
export function listFiles(root: string, isWanted: (path: string) => boolean): string[] {
  return sourceFolders.flatMap((folder) => walk(join(root, folder)))
    .map((path) => relative(root, path).replaceAll('\\', '/'))
    .filter(isWanted)
    .sort()
}

/** The test files to run: all, or those whose path is, or contains, one of `names`. */
export function chooseTestFiles(root: string, names: readonly string[]): string[] {
  const all = listFiles(root, (path) => path.endsWith('.test.ts'))
  if (all.length === 0) throw new NoSuchTest(`there is no test file in ${sourceFolders.join(', ')}`)
  if (names.length === 0) return all
  const chosen = names.flatMap((name) => {
    const exact = relative(root, resolve(name)).replaceAll('\\', '/')
    const found = all.includes(exact) ? [exact] : all.filter((path) => path.includes(name))
    if (found.length === 0) throw new NoSuchTest(`no test file is called ${name}`)
    return found
  })
  return [...new Set(chosen)]
}

function walk(folder: string): string[] {
  let entries
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [] // a tree without that folder
    throw error
  }
  return entries.flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name === 'dist') return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? walk(path) : [path]
  })
}
