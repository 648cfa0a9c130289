// Is there any sense in fetching so much? Asked when the size is known and before the first byte is written.
import { failure } from '../../protocol/failures.ts'
import { raise } from './failure-from.ts'
import type { PartialFile } from './files/partial-file.ts'

/** Below this a full disk is noticed soon enough by writing. */
const worthReserving = 1024 * 1024

/** Gives how many bytes are missing; `null`: not known. Throws `maximum-download-bytes`, or what `reserve` does. */
export function missingOf(file: PartialFile, total: number | null, here: number, maximumBytes: number | null): number | null {
  if (total === null) return null
  if (maximumBytes !== null && total > maximumBytes) raise(failure('maximum-download-bytes', 'The file is larger than the job allows.'))
  const missing = total - here
  if (missing >= worthReserving) file.reserve(total, missing)
  return missing
}
