// The socket and its lock file, as long as the daemon runs. A logout takes the folder of the socket away (XDG Base Directory:
// the runtime folder ends with the last session), and so do those who tidy /tmp; then both are made anew, with the folder.
// The kernel says when the socket loses its name; what it does not say, a look now and then finds.
import { watch, type FSWatcher } from 'node:fs'
import { dirname } from 'node:path'
import { AlreadyRunning } from './already-running.ts'
import { bindBehindRename, type BindOptions, type BoundSocket } from './bound-socket.ts'
import { prepareFolder } from './socket-folder.ts'
import { holdLock, type SocketLock } from './socket-lock.ts'

export interface KeptSocketOptions extends BindOptions {
  /** The socket was made anew. */
  readonly onBoundAnew?: () => void
  /** It is gone and cannot be made anew for now; told once for each loss. */
  readonly onLost?: (error: unknown) => void
}

const lookEveryMs = 5000
/** While nobody can reach us. */
const lookAgainMs = 1000
/** Whoever removes the socket is about to remove its folder too, and is let do so. */
const settleMs = 300
/** So long others may make the folders above ours, whose permissions they know better. */
const parentsAfterMs = 3000

export class KeptSocket {
  readonly #options: KeptSocketOptions
  #lock: SocketLock | null = null
  #socket: BoundSocket | null = null
  #watcher: FSWatcher | null = null
  #timer: NodeJS.Timeout | null = null
  #lostAt: number | null = null
  #isTold = false
  #isClosed = false

  private constructor(options: KeptSocketOptions) {
    this.#options = options
  }

  /** @throws AlreadyRunning, or an error that says what is in the way */
  static async open(options: KeptSocketOptions): Promise<KeptSocket> {
    const kept = new KeptSocket(options)
    try {
      await kept.#bind(true)
    } catch (error) {
      kept.close()
      throw error
    }
    kept.#keep()
    return kept
  }

  /** May be called twice. */
  close(): void {
    this.#isClosed = true
    this.#watcher?.close()
    if (this.#timer) clearTimeout(this.#timer)
    this.#socket?.close()
    this.#lock?.release()
    this.#lock = this.#socket = null
  }

  async #bind(makesParents: boolean): Promise<void> {
    const { path, mode } = this.#options
    prepareFolder(dirname(path), mode === 'system' ? 0o755 : 0o700, makesParents)
    if (!this.#lock?.isNamed()) {
      const lock = holdLock(`${path}.lock`)
      if (!lock) throw new AlreadyRunning(path)
      this.#lock?.release()
      this.#lock = lock
    }
    if (this.#socket?.isNamed()) return
    const before = this.#socket
    this.#socket = await bindBehindRename(this.#options)
    before?.close()
    if (this.#isClosed) this.close()
  }

  #keep(): void {
    this.#watcher?.close()
    this.#watcher = this.#watch()
    this.#lookIn(lookEveryMs)
  }

  /** The socket itself, not its folder: in /tmp that would tell us of everybody's files. */
  #watch(): FSWatcher | null {
    try {
      const watcher = watch(this.#options.path, { persistent: false }, () => this.#lookIn(settleMs))
      return watcher.on('error', () => watcher.close())
    } catch {
      // The system has no more watches to give (inotify(7)), or the socket is gone again: the looks are left.
      return null
    }
  }

  #lookIn(ms: number): void {
    if (this.#timer) clearTimeout(this.#timer)
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#look(), ms).unref()
  }

  async #look(): Promise<void> {
    try {
      if (this.#socket?.isNamed() && this.#lock?.isNamed()) return this.#lookIn(lookEveryMs)
      this.#lostAt ??= performance.now()
      await this.#bind(performance.now() - this.#lostAt >= parentsAfterMs)
      if (this.#isClosed) return
      this.#lostAt = null
      this.#isTold = false
      this.#keep()
      this.#options.onBoundAnew?.()
    } catch (error) {
      if (!this.#isTold) this.#options.onLost?.(error)
      this.#isTold = true
      this.#lookIn(lookAgainMs)
    }
  }
}
