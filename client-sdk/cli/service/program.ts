// The program that the service runs: compiled once, in a place that every user can read and only root can write. From a clone it is
// built there; from an installed package it is used where it lies. Nothing of somebody else is overwritten or removed.
import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, realpathSync, rmSync, symlinkSync, unlinkSync, type Stats } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Refusal } from '../../../protocol/refusals.ts'

export const programFolder = '/usr/local/lib/backhaul'
const commandFolder = '/usr/local/bin'
const commands = ['backhaul', 'backhauld'] as const
const isClone = import.meta.url.endsWith('.ts')

/** Where `backhauld.js` is, or will be once it is placed. */
export function programPath(): string {
  return isClone ? `${programFolder}/backhauld.js` : join(import.meta.dirname, 'backhauld.js')
}

/**
 * Makes sure that the program is where `programPath` says, below `root`.
 * @throws Refusal `invalid-state`; `access-denied` where others than root can write what root would run
 */
export function placeProgram(root: string): void {
  refuseWritable(process.execPath)
  if (!isClone) return refuseWritable(programPath())
  const folder = join(root, programFolder)
  refuseWritable(folder)
  if (existsSync(folder) && !isOurs(folder)) throw inTheWay(folder)
  for (const name of commands) refuseForeignCommand(root, name)
  const clone = resolve(import.meta.dirname, '..', '..', '..')
  mkdirSync(folder, { recursive: true })
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'scripts/build.ts', '--out', folder, '--bundle-packages'], { cwd: clone, encoding: 'utf8' })
  if (status !== 0) throw new Error(`the program could not be compiled: ${stderr}`)
  spawnSync('chown', ['-R', '0:0', folder])
  spawnSync('chmod', ['-R', 'a+rX,go-w', folder])
  mkdirSync(join(root, commandFolder), { recursive: true })
  for (const name of commands) {
    const path = join(root, commandFolder, name)
    if (lstatSync(path, { throwIfNoEntry: false })) unlinkSync(path)
    symlinkSync(`${programFolder}/${name}.js`, path)
  }
}

/** What `placeProgram` made; answers the paths that were removed. */
export function removeProgram(root: string): string[] {
  const removed: string[] = []
  for (const name of commands) {
    const path = join(root, commandFolder, name)
    if (linkTarget(path) !== `${programFolder}/${name}.js`) continue
    unlinkSync(path)
    removed.push(path)
  }
  const folder = join(root, programFolder)
  if (existsSync(folder) && isOurs(folder)) {
    rmSync(folder, { recursive: true })
    removed.push(folder)
  }
  return removed
}

export function inTheWay(path: string): Refusal {
  return new Refusal('invalid-state', { path }, `${path} is there already and is not ours; nothing was changed.`)
}

function isOurs(folder: string): boolean {
  const manifest = join(folder, 'package.json')
  return existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly name?: string }).name === 'backhaul'
}

function refuseForeignCommand(root: string, name: string): void {
  const path = join(root, commandFolder, name)
  if (lstatSync(path, { throwIfNoEntry: false }) && linkTarget(path) !== `${programFolder}/${name}.js`) throw inTheWay(path)
}

function linkTarget(path: string): string | null {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : null
}

/** Did root run code that somebody else can change? What it places is a copy that only root can write. `null`: no. */
export function foreignSource(): string | null {
  return process.platform === 'win32' ? null : writableByOthers(import.meta.filename)
}

/** Whoever may write there would be root at the next start. */
function refuseWritable(path: string): void {
  if (process.platform === 'win32') return
  const open = writableByOthers(path)
  if (open !== null) throw new Refusal('access-denied', { path: open }, `${open} can be written by others than root, so root must not run what it holds. Install node and the package for the whole machine (as root: npm install --global).`)
}

/** The first file, link or folder on the way to `path` that somebody else than root can write or replace. What is not there yet is made by root. */
function writableByOthers(path: string): string | null {
  for (const way of new Set([path, existsSync(path) ? realpathSync(path) : path])) {
    for (let at = way; ; at = dirname(at)) {
      const found = lstatSync(at, { throwIfNoEntry: false })
      if (found && (found.uid !== 0 || isOpen(found))) return at
      if (at === dirname(at)) break
    }
  }
  return null
}

/** In a folder with the sticky bit nobody replaces what is another's; the mode of a link says nothing; root's own group is root. */
function isOpen(found: Stats): boolean {
  if (found.isSymbolicLink() || (found.isDirectory() && (found.mode & 0o1000) !== 0)) return false
  return (found.mode & 0o002) !== 0 || ((found.mode & 0o020) !== 0 && found.gid !== 0)
}
