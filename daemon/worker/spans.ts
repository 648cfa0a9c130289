// Which bytes of the remote file a local file consists of, in order: all of them, or the concatenation of the
// ranges that the job named (BITS §7.7). Pure: tells what to ask for next once `here` bytes are in the local file.
import type { TransferOrder } from '../link/messages.ts'

/** Remote bytes from `from` to `to` (exclusive; `null`: to the end), to be appended to the local file. */
export interface Span {
  readonly from: number
  readonly to: number | null
}

export function spansOf(ranges: TransferOrder['ranges']): readonly Span[] {
  if (ranges === null) return [{ from: 0, to: null }]
  return ranges.map(({ offset, length }) => ({ from: offset, to: length === null ? null : offset + length }))
}

/** What is missing first; `null` when nothing is. `remoteTotal` `null`: the size of the remote file is not known yet. */
export function nextSpan(spans: readonly Span[], here: number, remoteTotal: number | null): Span | null {
  let passed = 0
  for (const { from, to } of spans) {
    const end = to ?? remoteTotal
    if (end === null || here < passed + end - from) return { from: from + here - passed, to }
    passed += end - from
  }
  return null
}

/** The size of the local file; `null` while that is not known. */
export function localTotal(spans: readonly Span[], remoteTotal: number | null): number | null {
  let total = 0
  for (const { from, to } of spans) {
    const end = to ?? remoteTotal
    if (end === null) return null
    total += Math.max(end - from, 0)
  }
  return total
}
