// A small file system of its own for a test that fills it. Only root can mount one.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why no file system can be mounted here; `false` when one can. For `skip`. */
export function mountProblem(): string | false {
  const place = mkdtempSync(join(tmpdir(), 'backhaul-mount-'))
  try {
    mountSmall(place)()
    return false
  } catch (error) {
    return `no file system can be mounted here: ${error instanceof Error ? error.message : ''}`
  } finally {
    rmSync(place, { recursive: true })
  }
}

/** Mounts 1 MiB of memory at `place`, which it makes. Gives how to take it away again, also while somebody still has it open. */
export function mountSmall(place: string): () => void {
  mkdirSync(place, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'backhaul-test', place], { stdio: 'ignore' })
  return () => void execFileSync('umount', ['-l', place], { stdio: 'ignore' })
}
