// Copies installed packages, with everything they need at run time, into the node_modules of another folder. Platform packages
// that npm left out because they are for other machines are left out here too.
// Invariant: what is copied resolves from the copy exactly as it did from the original (one version per name, or an error).
import { existsSync } from 'node:fs'
import { cp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

type Manifest = { readonly dependencies?: Record<string, string>; readonly optionalDependencies?: Record<string, string> }

type Copying = { readonly names: readonly string[]; readonly from: string; readonly to: string }

export async function copyPackages(options: Copying): Promise<string[]> {
  const waiting = [...options.names]
  const copied = new Set<string>()
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (copied.has(name)) continue
    copied.add(name)
    const folder = join(options.from, 'node_modules', name)
    if (existsSync(join(folder, 'node_modules'))) throw new Error(`${name} has packages of its own inside, which are not looked at`)
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest
    const optional = Object.keys(optionalDependencies)
    waiting.push(...optional.filter((other) => existsSync(join(options.from, 'node_modules', other))))
    waiting.push(...Object.keys(dependencies).filter((other) => !optional.includes(other)))
    const target = join(options.to, 'node_modules', name)
    await rm(target, { recursive: true, force: true })
    await cp(folder, target, { recursive: true, dereference: true })
  }
  return [...copied]
}
