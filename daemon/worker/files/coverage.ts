// Which bytes of a file are there, as spans in ascending order that do not touch. Pure. A file that one connection brings
// is one span from 0 on; several connections leave gaps until they meet.

export type Stretch = readonly [from: number, to: number]

export class Coverage {
  #spans: Stretch[]

  constructor(spans: readonly Stretch[] = []) {
    this.#spans = []
    for (const [from, to] of spans) this.add(from, to)
  }

  get spans(): readonly Stretch[] {
    return this.#spans
  }

  get bytes(): number {
    return this.#spans.reduce((sum, [from, to]) => sum + to - from, 0)
  }

  /** How many bytes are there from the start on, without a gap. */
  get prefix(): number {
    const first = this.#spans[0]
    return first?.[0] === 0 ? first[1] : 0
  }

  get end(): number {
    return this.#spans.at(-1)?.[1] ?? 0
  }

  add(from: number, to: number): void {
    if (to <= from) return
    const last = this.#spans.at(-1)
    // What nearly every write is: more of the same.
    if (last?.[1] === from) {
      this.#spans[this.#spans.length - 1] = [last[0], to]
      return
    }
    const apart = this.#spans.filter((span) => span[1] < from || span[0] > to)
    const touching = this.#spans.filter((span) => span[1] >= from && span[0] <= to)
    const joined: Stretch = [Math.min(from, ...touching.map((span) => span[0])), Math.max(to, ...touching.map((span) => span[1]))]
    this.#spans = [...apart, joined].sort((a, b) => a[0] - b[0])
  }

  copy(): Coverage {
    const copy = new Coverage()
    copy.#spans = [...this.#spans]
    return copy
  }

  /** Only what lies below `length`. */
  upTo(length: number): Coverage {
    return new Coverage(this.#spans.map(([from, to]) => [from, Math.min(to, length)] as const))
  }

  /** What is missing before the end. */
  gaps(): Stretch[] {
    const gaps: Stretch[] = []
    let at = 0
    for (const [from, to] of this.#spans) {
      if (from > at) gaps.push([at, from])
      at = to
    }
    return gaps
  }

  /** Where the first bytes are missing; `to` is where bytes are there again, `null` where that is nowhere. */
  firstGap(): { readonly from: number; readonly to: number | null } {
    const from = this.prefix
    const next = this.#spans.find((span) => span[0] > from)
    return { from, to: next ? next[0] : null }
  }
}
