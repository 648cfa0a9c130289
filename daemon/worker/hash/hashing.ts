// Checksums of large files, computed in a thread beside the transfers: it reads the very buffers that the sockets fill, so that a file
// comes as fast as it can be hashed or as it can be fetched, and not as both after each other. Whoever fills buffers faster than they are
// hashed waits, which takes no longer than hashing them here would. Small files, and all of them where there can be no thread, are
// hashed here. The invariant: a file's pieces are seen in order, and none is overwritten before it was seen.
import { Worker } from 'node:worker_threads'
import { asError } from '../failure-from.ts'
import { hashHere, notComputed, type RunningHash } from './running-hash.ts'

/** What `hash-thread.js` is sent. */
type ToThread =
  | { readonly kind: 'begin'; readonly id: number; readonly algorithm: string }
  | { readonly kind: 'piece'; readonly id: number; readonly memory: ArrayBufferLike; readonly from: number; readonly length: number }
  | { readonly kind: 'digest' | 'drop'; readonly id: number }

interface FromThread {
  readonly id: number
  readonly digest: Uint8Array
}

/** What is smaller is hashed here before a thread has started. */
const worthThreadBytes = 16 * 1024 * 1024
/** A thread has a few pieces of each file before it; one that takes so long is dead. */
const waitLimitMs = 30_000
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
  /** Pieces that the thread is through with, counted by it. */
  readonly #passed = new Int32Array(new SharedArrayBuffer(4))
  readonly #worker: Worker
  readonly #wanted = new Map<number, { readonly resolve: (digest: Buffer) => void; readonly reject: (error: Error) => void }>()
  #sent = 0
  #lastId = 0
  #isDead = false

  constructor(onDead: () => void) {
    this.#worker = new Worker(new URL('./hash-thread.js', import.meta.url), { workerData: this.#passed.buffer, resourceLimits: sparing, execArgv: [] })
    this.#worker.unref()
    this.#worker.on('message', ({ id, digest }: FromThread) => {
      this.#wanted.get(id)?.resolve(Buffer.from(digest))
      this.#wanted.delete(id)
    })
    this.#worker.on('error', (error) => {
      console.error(error)
      this.#isDead = true
      onDead()
      for (const { reject } of this.#wanted.values()) reject(threadDied())
    })
  }

  begin(algorithm: string): RunningHash {
    const id = ++this.#lastId
    this.#send({ kind: 'begin', id, algorithm })
    return {
      update: (bytes) => this.#show(id, bytes),
      waitFor: (ticket) => this.#waitFor(ticket),
      digest: () => this.#digest(id),
      drop: () => this.#send({ kind: 'drop', id }),
    }
  }

  close(): void {
    void this.#worker.terminate()
  }

  #show(id: number, bytes: Uint8Array): number {
    const { buffer, byteOffset, length } = bytes.buffer instanceof SharedArrayBuffer ? bytes : Uint8Array.from(bytes)
    this.#send({ kind: 'piece', id, memory: buffer, from: byteOffset, length })
    return ++this.#sent
  }

  #waitFor(ticket: number): boolean {
    for (;;) {
      const passed = Atomics.load(this.#passed, 0)
      if (passed >= ticket) return true
      if (this.#isDead || Atomics.wait(this.#passed, 0, passed, waitLimitMs) === 'timed-out') return false
    }
  }

  #digest(id: number): Promise<Buffer> {
    if (this.#isDead) return Promise.reject(threadDied())
    return new Promise((resolve, reject) => {
      this.#wanted.set(id, { resolve, reject })
      this.#send({ kind: 'digest', id })
    })
  }

  #send(message: ToThread): void {
    this.#worker.postMessage(message)
  }
}

function threadDied(): Error {
  return asError(notComputed)
}
