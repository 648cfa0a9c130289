// How keys are written, so that their order means something: numbers have a fixed width. One letter names the kind.
//
//   m/…                       what the store says about itself
//   j/<job>                   a job without its files          f/<job>            its files as they were named
//   p/<job>/<index>           how far one file is              t/<owner>/<token>  the job that a client token made
//   e/<sequence>              every stored event               o/<sequence>       an event nobody acknowledged yet
//   i/<job>/<sequence>        which of the stored events are a job's
//   x/<job>                   a job that ended, whole          h/<owner>/<ended>/<job>   the order of those
export const metaKey = { schema: 'm/schema', commit: 'm/commit', sequence: 'm/sequence', served: 'm/served' } as const

export const jobKey = (id: string): string => `j/${id}`
export const filesKey = (id: string): string => `f/${id}`
export const progressKey = (id: string, index: number): string => `p/${id}/${fixed(index, 6)}`
export const tokenKey = (ownerId: string, token: string): string => `t/${ownerId}/${token}`
export const eventKey = (sequence: number): string => `e/${fixed(sequence, 16)}`
export const outboxKey = (sequence: number): string => `o/${fixed(sequence, 16)}`
export const jobEventKey = (jobId: string, sequence: number): string => `i/${jobId}/${fixed(sequence, 16)}`
export const endedKey = (id: string): string => `x/${id}`
/** Jobs that ended in the same millisecond are in the order in which they were made. */
export const historyKey = (ownerId: string, endedAt: number, number: number, id: string): string => `h/${ownerId}/${fixed(endedAt, 15)}-${fixed(number, 16)}/${id}`

/** The last part of a key: a job's id, or a number. */
export function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}

/** All keys that begin with a prefix. */
export function within(prefix: string): { readonly gte: string; readonly lt: string } {
  return { gte: prefix, lt: `${prefix}\uffff` }
}

function fixed(number: number, width: number): string {
  return String(number).padStart(width, '0')
}
