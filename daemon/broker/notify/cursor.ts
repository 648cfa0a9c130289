// The cursor of a watch: opaque to clients, to us the sequence number up to which everything was shown.
import { invalidParams } from '../../../protocol/refusals.ts'

export function writeCursor(sequence: number): string {
  return Buffer.from(`after ${sequence}`).toString('base64url')
}

/** @throws Refusal `invalid-params` */
export function readCursor(cursor: string): number {
  const match = /^after (\d{1,16})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (!match) throw invalidParams([{ path: ['after'], message: 'is not a cursor of this service' }])
  return Number(match[1])
}
