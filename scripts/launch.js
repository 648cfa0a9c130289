// How both programs start from a clone: TypeScript as it is, through tsx, in this one process. Plain JavaScript, because nothing
// has taught node TypeScript yet when it is loaded. It must hold nothing of the programs themselves.
// Invariant: no code is loaded that another user could have put into tsx's cache in the shared temporary folder.
import { lstatSync, mkdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Load the TypeScript file at `url` and hand back its `main`. */
export async function loadMain(url) {
  if (!ownsCompilerCache()) process.env.TSX_DISABLE_CACHE = '1'
  process.env.TSX_TSCONFIG_PATH = fileURLToPath(new URL('../tsconfig.json', import.meta.url)) // else one found in the working folder
  const { register } = await import('tsx/esm/api')
  register()
  const { main } = await import(url.href)
  return main
}

/**
 * Send `signal` to ourselves once the shell is gone that npx put between itself and us. npx hands a signal on to that shell alone,
 * which dies of it and leaves us running; whoever stopped `npx backhauld` means the daemon.
 */
export function followNpx(signal) {
  if (process.env.npm_lifecycle_event !== 'npx' || process.platform !== 'linux') return
  const parent = process.ppid
  if (!isShell(parent)) return // a daemon that the command line started: it inherits npx's environment and must outlive it
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    process.kill(process.pid, signal)
  }, 200)
  timer.unref()
}

function isShell(pid) {
  try {
    return ['sh', 'dash', 'bash'].includes(readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
  } catch {
    return false // the parent has ended already, or /proc is not for us to read: nothing to follow
  }
}

// tsx keeps what it compiled in <tmp>/tsx-<uid>, a name anybody can take first.
function ownsCompilerCache() {
  const uid = process.geteuid?.()
  if (uid === undefined) return true // Windows: the temporary folder is the user's own
  const folder = join(tmpdir(), `tsx-${uid}`)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const found = lstatSync(folder)
    return found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0
  } catch {
    return false // not creatable or not readable: then the cache is of no use either
  }
}
