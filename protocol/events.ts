// Event kinds and what each carries: the calls of the daemon to an endpoint (contract §4), which are requests
// whose result acknowledges, and the notification `events.event` of a watch, which nobody answers.
import * as z from 'zod'
import { file, job, jobError, range } from './job.ts'
import type { EventKind } from './options.ts'
import { instant, size } from './schema.ts'

const delivery = {
  registrationId: z.string(),
  /** The same at every attempt and replay of one event. */
  deliveryId: z.string(),
  /** Rises strictly within one owner. */
  sequence: size,
  /** 1 for the first call. */
  attempt: size,
  job,
}

export const callbacks = {
  'callback.jobTransferred': {
    summary: 'Every byte of the job is here. Where the job completed itself, `files` says the names of its files.',
    params: z.object({ ...delivery, files: z.array(z.object({ index: size, localName: z.string() })).optional() }),
  },
  'callback.jobError': { summary: 'The job came to a fatal error.', params: z.object({ ...delivery, error: jobError }) },
  'callback.jobModification': { summary: 'Something about the job changed.', params: z.object(delivery) },
  'callback.fileTransferred': { summary: 'One file of the job is here.', params: z.object({ ...delivery, file }) },
  'callback.fileRangesTransferred': { summary: 'Some requested ranges of a file are here.', params: z.object({ ...delivery, file, ranges: z.array(range) }) },
} as const
export type Callbacks = { [Name in keyof typeof callbacks]: z.infer<(typeof callbacks)[Name]['params']> }
export type CallbackName = keyof Callbacks

export const callbackOfKind = {
  'transferred': 'callback.jobTransferred',
  'error': 'callback.jobError',
  'modification': 'callback.jobModification',
  'file-transferred': 'callback.fileTransferred',
  'file-ranges-transferred': 'callback.fileRangesTransferred',
} as const satisfies Record<EventKind, CallbackName>

/** What a watch shows besides the five kinds. */
export const watchKinds = ['transferred', 'error', 'modification', 'file-transferred', 'file-ranges-transferred', 'created', 'state', 'progress', 'ended', 'lagged'] as const
export const watchEvent = z.object({
  watchId: z.string(),
  /** Opaque; give it as `after` to go on from here. */
  cursor: z.string(),
  kind: z.enum(watchKinds),
  at: instant,
  job: job.nullable(),
  file: file.optional(),
  error: jobError.optional(),
  /** How many events were dropped just before this one. */
  lagged: size.optional(),
})
export type WatchEvent = z.infer<typeof watchEvent>
export type WatchKind = (typeof watchKinds)[number]
