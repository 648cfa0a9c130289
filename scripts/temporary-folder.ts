// The folder of one run in which its tests make theirs, whoever else runs tests meanwhile; gone when the process ends, in order or not.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Makes it, for this process and all that it starts. */
export function openTemporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-run-'))
  chmodSync(folder, 0o755) // workers of other users go through it
  process.env['TMPDIR'] = folder
  process.once('exit', () => {
    for (const place of mountedBelow(folder)) spawnSync('umount', ['-l', place])
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** Disks of tests that were killed. */
function mountedBelow(folder: string): string[] {
  if (process.platform !== 'linux') return []
  return readFileSync('/proc/self/mounts', 'utf8').split('\n').map((line) => line.split(' ')[1] ?? '').filter((place) => place.startsWith(`${folder}/`))
}
