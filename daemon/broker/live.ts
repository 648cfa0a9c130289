// The bytes that are moving now: the latest value of each file, and how fast a job moves. Never stored.
import type { Live } from '../core/view.ts'
import { still } from '../core/view.ts'
import { monotonic, now } from './clock.ts'

/** The rate is that of the last few seconds: each sample counts by its age. */
const rateWindowMs = 3000

interface Moving {
  readonly bytesByFile: Map<number, number>
  bytesPerSecond: number
  sampledAt: number
  unsampled: number
  progressAt: number
}

export class LiveProgress {
  readonly #moving = new Map<string, Moving>()
  readonly #listeners: ((jobId: string) => void)[] = []

  onProgress(listener: (jobId: string) => void): void {
    this.#listeners.push(listener)
  }

  /** The bytes of a file that are here now. */
  set(jobId: string, fileIndex: number, bytes: number): void {
    const moving = this.#moving.get(jobId) ?? this.#start(jobId)
    const gained = bytes - (moving.bytesByFile.get(fileIndex) ?? bytes)
    moving.bytesByFile.set(fileIndex, bytes)
    if (gained > 0) {
      moving.progressAt = now()
      sample(moving, gained)
    }
    for (const listener of this.#listeners) listener(jobId)
  }

  /** The file is not moving any more; what its record says counts again. */
  clear(jobId: string, fileIndex: number): void {
    this.#moving.get(jobId)?.bytesByFile.delete(fileIndex)
  }

  stop(jobId: string): void {
    this.#moving.delete(jobId)
  }

  of(jobId: string): Live {
    const moving = this.#moving.get(jobId)
    return moving ? { bytesByFile: moving.bytesByFile, bytesPerSecond: rateNow(moving), progressAt: moving.progressAt, blocked: null } : still
  }

  bytesPerSecond(): number {
    let sum = 0
    for (const moving of this.#moving.values()) sum += rateNow(moving)
    return Math.round(sum)
  }

  #start(jobId: string): Moving {
    const moving: Moving = { bytesByFile: new Map(), bytesPerSecond: 0, sampledAt: monotonic(), unsampled: 0, progressAt: 0 }
    this.#moving.set(jobId, moving)
    return moving
  }
}

function sample(moving: Moving, gained: number): void {
  moving.unsampled += gained
  const ms = monotonic() - moving.sampledAt
  if (ms < 100) return
  const weight = Math.min(1, ms / rateWindowMs)
  const rate = (moving.unsampled * 1000) / ms
  moving.bytesPerSecond = moving.bytesPerSecond === 0 ? rate : moving.bytesPerSecond * (1 - weight) + rate * weight
  moving.unsampled = 0
  moving.sampledAt = monotonic()
}

/** A stall lets the rate sink to zero although no sample comes. */
function rateNow(moving: Moving): number {
  const silentMs = monotonic() - moving.sampledAt
  return silentMs < 2000 ? moving.bytesPerSecond : moving.bytesPerSecond * Math.max(0, 1 - (silentMs - 2000) / rateWindowMs)
}
