// What is kept of a file between attempts: which bytes are on the disk for good and what proves that the remote
// file is still the one they came from. Pure.
import type { ResumePoint, TransferOrder, Validator } from '../link/messages.ts'
import type { Stretch } from './files/coverage.ts'
import type { PartialFile } from './files/partial-file.ts'
import { noteOf } from './files/volume.ts'
import { mayResume } from './http/response.ts'
import { localTotal, type Span } from './spans.ts'

/** What answers said about the remote file so far. */
export interface Remote {
  readonly bytesTotal: number | null
  readonly validator: Validator | null
  readonly modifiedAt: number | null
  /** The last answer was a whole file without a validator, and was not taken. */
  readonly doubted?: true | undefined
}

export const unknownRemote: Remote = { bytesTotal: null, validator: null, modifiedAt: null }

/** The total of a resume point is that of the local file; with ranges the remote file's is another. */
export function remoteOf({ resumePoint, ranges }: TransferOrder): Remote {
  if (resumePoint === null) return unknownRemote
  const { validator, modifiedAt, bytesTotal, doubted } = resumePoint
  return { validator, modifiedAt, bytesTotal: ranges === null ? bytesTotal : null, ...(doubted ? { doubted } : {}) }
}

/** Without bytes where nothing would prove that they still fit; a file that is complete needs no proof. */
export function usableResumePoint({ resumePoint, http }: TransferOrder): ResumePoint | null {
  if (resumePoint === null) return null
  const isComplete = resumePoint.bytesTotal !== null && resumePoint.durable[0]?.[0] === 0 && resumePoint.durable[0][1] === resumePoint.bytesTotal
  const isUsable = isComplete || (http.method.toUpperCase() === 'GET' && mayResume(resumePoint.validator, resumePoint.bytesTotal))
  return isUsable ? resumePoint : { ...resumePoint, durable: [], place: undefined }
}

/** What a resume point has room for; what is beyond would be fetched again. */
const mostSpans = 256

export function resumePointOf(file: Pick<PartialFile, 'inode' | 'durableSpans' | 'vouchedFor' | 'folder'>, spans: readonly Span[], remote: Remote): ResumePoint {
  const written = file.vouchedFor && noted(file.vouchedFor)
  return {
    inode: file.inode, durable: noted(file.durableSpans), ...remote, bytesTotal: localTotal(spans, remote.bytesTotal),
    place: { ...noteOf(file.folder), ...(written && { written }) },
  }
}

function noted(stretches: readonly Stretch[]): [number, number][] {
  return stretches.slice(0, mostSpans).map(([from, to]) => [from, to])
}

/** Of a file that is done: it goes on nowhere, and there may be very many of them. */
export function finalPointOf({ inode, bytesTotal, durable, validator, modifiedAt }: ResumePoint): ResumePoint {
  return { inode, bytesTotal, durable, validator, modifiedAt }
}
