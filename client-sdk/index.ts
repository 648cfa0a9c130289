// Backhaul for programs: `connect()` to the background service, or just `download()`. Re-exports and nothing else.
//
//   import { connect, download } from 'backhaul'
//   const { path } = await download('https://example.org/disk.iso', 'disk.iso')
export { connect, download, Client, type ConnectOptions, type Hello, type ListOptions } from './client.ts'
export { JobHandle, type WaitOptions } from './job.ts'
export { JobFailed, type Downloaded, type DownloadOptions } from './download.ts'
export type { CallbackCall, CallbackOptions, Handlers, Registration, Scope } from './callbacks.ts'
export type { Watch, WatchOptions } from './watch.ts'
export type { Call, CallOptions, ConnectionEvent, Unsubscribe } from './connection.ts'
export { startDaemon, type StartOptions } from './start.ts'
export { Refusal, type RefusalData, type RefusalKind } from '../protocol/refusals.ts'
export type { WatchEvent, WatchKind } from '../protocol/events.ts'
export type { EventKind, JobOptions, NotifyCommand, PartialOptions } from '../protocol/options.ts'
export type {
  Checksum, File, FileSpecSent as FileSpec, Job, JobError, JobSettings, JobState, JobType, Owner, Priority, Range, Reason, Validation,
} from '../protocol/job.ts'
export type { MethodName, ParamsSent, Result } from '../protocol/methods.ts'
