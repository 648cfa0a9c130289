// Lines for the other end of the link, gathered: those of one turn of the event loop go out in one write. A write per line costs
// both ends a system call and a wake-up each, which for small files is a good part of all there is to do.

export class OutgoingLines {
  readonly #write: (text: string) => void
  #lines: string[] = []

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  add(line: string): void {
    if (this.#lines.push(line) === 1) setImmediate(() => this.flush())
  }

  /** Writes at once what was gathered. */
  flush(): void {
    if (this.#lines.length === 0) return
    const text = this.#lines.join('')
    this.#lines = []
    this.#write(text)
  }
}
