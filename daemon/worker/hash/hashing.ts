// Checksums of large files, computed in a thread beside the transfers: it reads the very buffers that the sockets fill, so that a file
// comes as fast as it can be hashed or as it can be fetched, and not as both after each other. Small files, and all of them where there
// can be no thread, are hashed here. The invariant: a file's pieces are seen in order, and each is said to be seen when it was.
import { Worker } from 'node:worker_threads'
import { failure } from '../../../protocol/failures.ts'
import { asError } from '../failure-from.ts'
import { hashHere, type RunningHash } from './running-hash.ts'

/** What `hash-thread.js` is sent. */
type ToThread =
  | { readonly kind: 'begin'; readonly id: number; readonly algorithm: string }
  | { readonly kind: 'piece'; readonly id: number; readonly memory: ArrayBufferLike; readonly from: number; readonly length: number }
  | { readonly kind: 'digest' | 'drop'; readonly id: number }

type FromThread =
  /** The next piece of all that were sent. */
  | { readonly kind: 'seen' }
  | { readonly kind: 'digest'; readonly id: number; readonly digest: Uint8Array }

interface Settle<Value> {
  readonly resolve: (value: Value) => void
  readonly reject: (error: Error) => void
}

/** What is smaller is hashed here before a thread has started. */
const worthThreadBytes = 16 * 1024 * 1024
/** In MB. Pieces lie outside of its heap, which has next to nothing to hold. */
const sparing = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 }

export class Hashing {
  #thread: HashThread | null = null
  #isThreadRefused = false

  /** `bytes`: how many it will be shown; `null`: not known. */
  begin(algorithm: string, bytes: number | null): RunningHash {
    const isLarge = bytes !== null && bytes >= worthThreadBytes
    return (isLarge ? this.#usableThread()?.begin(algorithm) : null) ?? hashHere(algorithm)
  }

  /** Ends the thread; the next large file starts another. No hash may be under way. */
  close(): void {
    this.#thread?.close()
    this.#thread = null
  }

  #usableThread(): HashThread | null {
    if (this.#isThreadRefused) return null
    try {
      return this.#thread ??= new HashThread(() => {
        this.#isThreadRefused = true
        this.#thread = null
      })
    } catch (error) {
      // The owner may have as many as he can have already.
      console.error(error)
      this.#isThreadRefused = true
      return null
    }
  }
}

class HashThread {
  readonly #worker: Worker
  /** Pieces that were sent, in their order. */
  readonly #unseen: Settle<void>[] = []
  readonly #wanted = new Map<number, Settle<Buffer>>()
  #lastId = 0
  #isDead = false

  constructor(onDead: () => void) {
    this.#worker = new Worker(new URL('./hash-thread.js', import.meta.url), { resourceLimits: sparing, execArgv: [] })
    this.#worker.unref()
    this.#worker.on('message', (message: FromThread) => {
      if (message.kind === 'seen') return this.#unseen.shift()?.resolve()
      this.#wanted.get(message.id)?.resolve(Buffer.from(message.digest))
      this.#wanted.delete(message.id)
    })
    this.#worker.on('error', (error) => {
      console.error(error)
      onDead()
    })
    // Also after `close`, which nobody needs to hear of.
    this.#worker.on('exit', () => {
      this.#isDead = true
      for (const { reject } of [...this.#unseen, ...this.#wanted.values()]) reject(notComputed())
    })
  }

  begin(algorithm: string): RunningHash {
    const id = ++this.#lastId
    this.#send({ kind: 'begin', id, algorithm })
    return {
      update: (bytes) => this.#show(id, bytes),
      digest: () => this.#digest(id),
      drop: () => this.#send({ kind: 'drop', id }),
    }
  }

  close(): void {
    void this.#worker.terminate()
  }

  #show(id: number, bytes: Uint8Array): Promise<void> {
    const { buffer, byteOffset, length } = bytes.buffer instanceof SharedArrayBuffer ? bytes : new Uint8Array(bytes)
    const seen = this.#answer<void>((settle) => {
      this.#unseen.push(settle)
      this.#send({ kind: 'piece', id, memory: buffer, from: byteOffset, length })
    })
    // Whoever does not wait learns it from the digest.
    seen.catch(() => {})
    return seen
  }

  #digest(id: number): Promise<Buffer> {
    return this.#answer((settle) => {
      this.#wanted.set(id, settle)
      this.#send({ kind: 'digest', id })
    })
  }

  #answer<Value>(ask: (settle: Settle<Value>) => void): Promise<Value> {
    return new Promise((resolve, reject) => this.#isDead ? reject(notComputed()) : ask({ resolve, reject }))
  }

  #send(message: ToThread): void {
    this.#worker.postMessage(message)
  }
}

function notComputed(): Error {
  return asError(failure('internal-error', 'The checksum could not be computed.'))
}
