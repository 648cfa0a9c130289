// What a worker is told about one file: pure, from the job's record.
import { formerOwnersOf, temporaryName, type FileRecord, type JobRecord } from '../core/job.ts'
import type { ResumePoint, TransferOrder } from '../link/messages.ts'

export function orderFor(transferId: number, job: JobRecord, file: FileRecord): TransferOrder {
  const { method, headers, redirects, redirectToHttp, sendHeadersTo } = job.options.http
  return {
    transferId,
    remoteName: file.remoteName,
    localName: file.localName,
    temporaryName: temporaryName(job.id, file.index),
    resumePoint: file.progress.resumePoint === null ? null : copyOf(file.progress.resumePoint),
    checksum: file.checksum ?? null,
    ranges: file.ranges ?? null,
    http: { method, headers: present(headers), redirects, redirectToHttp, home: file.home, sendHeadersTo },
    maximumBytes: whatIsLeft(job, file),
    // What nobody waits for takes one share of the line, unless the job says otherwise.
    connections: job.options.connections ?? (job.priority === 'foreground' ? null : 1),
    former: formerOwnersOf(job, file),
  }
}

/** Of the job's maximum for all its files. */
function whatIsLeft(job: JobRecord, file: FileRecord): number | null {
  const limit = job.options.maximumDownloadBytes
  if (limit === null) return null
  const others = job.files.reduce((sum, other) => (other.index === file.index ? sum : sum + (other.progress.resumePoint?.bytesTotal ?? 0)), 0)
  return Math.max(0, limit - others)
}

/** For the link. */
export function copyOf(point: NonNullable<FileRecord['progress']['resumePoint']>): ResumePoint {
  const copy = (spans: readonly (readonly [number, number])[]): [number, number][] => spans.map(([from, to]) => [from, to])
  const { place } = point
  return { ...point, durable: copy(point.durable), place: place && { ...place, written: place.written && copy(place.written) } }
}

function present(headers: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter((header): header is [string, string] => header[1] !== null))
}
