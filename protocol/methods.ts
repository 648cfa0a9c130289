// Every method that a client may call, declared once: the schema of its params and of its result. Types, checks
// and the OpenRPC page all come from this table (contract §2–§4). Unknown params are refused; results may gain
// members, so their schemas do not forbid more.
import * as z from 'zod'
import { eventKind } from './options.ts'
import { displayName, description, application, file, fileSpec, filesPerCall, job, jobSettings, jobState, jobType, owner, priority, reason, validation } from './job.ts'
import { partialOptions } from './options.ts'
import { cursor, empty, instant, jobId, line, localName, remoteName, size } from './schema.ts'

const jobOnly = z.strictObject({ jobId })
const jobAnswer = z.object({ job })
const limit = z.int().min(1).max(1000)
const timeoutSeconds = z.number().min(0).max(31_536_000)

const limits = z.object({ jobsPerMachine: size, jobsPerUser: size, filesPerJob: size, rangesPerFile: size })

export const endpoint = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('connection') }),
  z.strictObject({ kind: z.literal('socket'), path: localName }),
])

const exactlyOneScope = (params: { jobIds?: unknown; application?: unknown; all?: unknown }): boolean =>
  [params.jobIds, params.application, params.all].filter((scope) => scope !== undefined).length === 1

export const methods = {
  'session.hello': {
    summary: 'Says who is there; optional.',
    params: z.strictObject({
      client: z.strictObject({ name: line(1, 256), version: line(1, 64) }).optional(),
      protocol: line(1, 16).optional(),
      require: z.array(line(1, 64)).max(64).optional(),
    }),
    result: z.object({
      protocol: z.string(),
      daemon: z.object({ name: z.string(), version: z.string(), instanceId: z.string(), mode: z.enum(['system', 'user']), startedAt: instant, pid: z.int() }),
      caller: z.object({ id: z.string(), name: z.string(), role: z.enum(['user', 'admin']) }),
      limits,
      capabilities: z.array(z.string()),
    }),
  },
  'rpc.discover': { summary: 'This description, as an OpenRPC document.', params: empty, result: z.looseObject({ openrpc: z.string() }) },
  'system.ping': { summary: 'Answers.', params: empty, result: z.object({}) },
  'queue.stats': {
    summary: 'Counts by state and owner: of all jobs for admins, of his own for a user.',
    params: empty,
    result: z.object({
      jobs: z.object({
        total: size,
        byState: z.record(jobState, size),
        byOwner: z.array(z.object({ owner, total: size, byState: z.partialRecord(jobState, size) })),
      }),
      bytesPerSecond: size,
      limits,
    }),
  },
  'policy.get': {
    summary: 'Which policy of the configuration applies to the caller, why, and what it allows.',
    params: empty,
    result: z.object({
      /** Its place in the configuration, from 1; `null`: none applies. */
      policy: size.nullable(),
      why: z.string(),
      exempt: z.boolean(),
      limits,
      notifyCommands: z.boolean(),
      /** `null`: all. */
      localFolders: z.array(z.string()).nullable(),
      remoteNames: z.array(z.string()).nullable(),
    }),
  },
  'job.create': {
    summary: 'Makes a job, all or nothing.',
    params: z.strictObject({
      displayName,
      type: jobType.default('download'),
      description: description.default(''),
      application: application.nullable().default(null),
      priority: priority.default('normal'),
      files: z.array(fileSpec).max(filesPerCall).default([]),
      options: partialOptions.default({}),
      resume: z.boolean().default(false),
      clientToken: line(1, 256).optional(),
    }),
    result: z.object({ job, created: z.boolean() }),
  },
  'job.addFiles': {
    summary: 'Adds files, all or none.',
    params: z.strictObject({ jobId, files: z.array(fileSpec).min(1).max(filesPerCall) }),
    result: z.object({ job, files: z.array(file) }),
  },
  'job.get': { summary: 'One job, also after it ended.', params: jobOnly, result: jobAnswer },
  'job.list': {
    summary: 'Jobs in the order of their creation; those that ended only where `states` asks for them.',
    params: z.strictObject({
      owner: z.enum(['me', 'all']).or(z.string().max(184).regex(/^\d{1,10}$|^S-[\d-]+$/, 'must be "me", "all" or an owner\'s id')).default('me'),
      states: z.array(jobState).min(1).max(9).optional(),
      application: application.optional(),
      limit: limit.default(500),
      cursor: cursor.optional(),
    }),
    result: z.object({ jobs: z.array(job), nextCursor: z.string().nullable() }),
  },
  'job.update': {
    summary: 'Changes settings of a job; what is left out stays.',
    params: z.strictObject({ jobId, set: jobSettings }),
    result: jobAnswer,
  },
  'job.resume': { summary: 'Puts a job into the queue, or lets it try again now.', params: jobOnly, result: jobAnswer },
  'job.suspend': { summary: 'Stops a job until it is resumed.', params: jobOnly, result: jobAnswer },
  'job.cancel': { summary: 'Gives a job up and removes what was downloaded.', params: jobOnly, result: jobAnswer },
  'job.complete': {
    summary: 'Gives the finished files their local names and ends the job.',
    params: jobOnly,
    result: z.object({ job, partial: z.boolean(), files: z.array(z.object({ index: size, localName: z.string() })) }),
  },
  'job.wait': {
    summary: 'Answers when the job is in one of the states, or the time is over.',
    params: z.strictObject({ jobId, states: z.array(jobState).min(1).max(9).optional(), timeoutSeconds: timeoutSeconds.optional() }),
    result: z.object({ job, timedOut: z.boolean() }),
  },
  'job.explain': { summary: 'Why a job is not moving.', params: jobOnly, result: z.object({ reasons: z.array(reason) }) },
  'job.replaceRemotePrefix': {
    summary: 'Rewrites the start of every matching remote name (case-sensitive).',
    params: z.strictObject({ jobId, oldPrefix: line(1, 2200), newPrefix: line(1, 2200) }),
    result: z.object({ job, replaced: size }),
  },
  'job.takeOwnership': {
    summary: 'Makes the calling admin the owner. Local names that the owner before could not have written are refused, unless they are to be trusted.',
    params: z.strictObject({ jobId, trustLocalNames: z.boolean().default(false) }),
    result: jobAnswer,
  },
  'file.list': {
    summary: 'The files of a job, in order.',
    params: z.strictObject({ jobId, limit: limit.default(500), cursor: cursor.optional() }),
    result: z.object({ files: z.array(file), nextCursor: z.string().nullable() }),
  },
  'file.get': { summary: 'One file.', params: z.strictObject({ jobId, fileIndex: size }), result: z.object({ file }) },
  'file.update': {
    summary: 'Another remote name, or the verdict on the content.',
    params: z.strictObject({ jobId, fileIndex: size, set: z.strictObject({ remoteName, validation }).partial() }),
    result: z.object({ file }),
  },
  'callback.register': {
    summary: 'Registers where the caller wants to be called; it lives as long as its connection.',
    params: z.strictObject({
      jobIds: z.array(jobId).min(1).max(1000).optional(),
      application: application.optional(),
      all: z.literal(true).optional(),
      events: z.array(eventKind).min(1).max(5).optional(),
      endpoint: endpoint.default({ kind: 'connection' }),
    }).refine(exactlyOneScope, 'must have exactly one of jobIds, application and all'),
    result: z.object({ registrationId: z.string(), replayed: size }),
  },
  'callback.unregister': { summary: 'Ends a registration.', params: z.strictObject({ registrationId: z.uuid() }), result: z.object({}) },
  'events.watch': {
    summary: 'Reads along: notifications `events.event` follow, for looking, not for relying.',
    params: z.strictObject({
      after: cursor.optional(),
      jobIds: z.array(jobId).min(1).max(1000).optional(),
      application: application.optional(),
      owner: z.enum(['me', 'all']).default('me'),
    }),
    result: z.object({ watchId: z.string(), cursor: z.string() }),
  },
  'events.unwatch': { summary: 'Ends a watch.', params: z.strictObject({ watchId: z.uuid() }), result: z.object({}) },
} as const satisfies Record<string, { summary: string; params: z.ZodType; result: z.ZodType }>

export type Methods = typeof methods
export type MethodName = keyof Methods
/** What a client sends: members with a default may be left out. */
export type ParamsSent<Name extends MethodName> = z.input<Methods[Name]['params']>
/** What the daemon works with. */
export type Params<Name extends MethodName> = z.output<Methods[Name]['params']>
export type Result<Name extends MethodName> = z.output<Methods[Name]['result']>
