// In which order a job's files move: as they were named; those under suspicion of ending their process come last, each by itself.
import type { FileRecord } from '../core/job.ts'

export class FileTurns {
  readonly #suspects: ReadonlySet<number>
  readonly #last: number[] = []
  #index = 0

  constructor(suspects: ReadonlySet<number>) {
    this.#suspects = suspects
  }

  /** The next file that may move; `isAlone`: no other does. */
  next(files: readonly FileRecord[], isAlone: boolean): FileRecord | null {
    while (this.#suspects.has(this.#index) && this.#index < files.length) this.#last.push(this.#index++)
    const file = files[this.#index]
    if (file) this.#index++
    return file ?? (isAlone ? files[this.#last.shift() ?? -1] ?? null : null)
  }
}
