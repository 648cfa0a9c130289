// From a method's name to its call: params checked by the schema, the caller attached, and its turn. Calls of one
// connection about one job take effect in the order sent; calls that change a job, from wherever, one after another.
import { boundsOf, issuesAtMost, walk, type Bound } from '../../../protocol/bounds.ts'
import { methods, type MethodName } from '../../../protocol/methods.ts'
import { invalidParams, Refusal, type Issue } from '../../../protocol/refusals.ts'
import type { Method } from '../../../protocol/peer.ts'
import type { Broker, Call } from '../methods/call.ts'
import { methodTable } from '../methods/index.ts'
import { Turns } from '../turns.ts'
import type { Connection } from './connection.ts'
import { LongAnswers } from './long-answers.ts'

const changing: ReadonlySet<MethodName> = new Set([
  'job.addFiles', 'job.update', 'job.resume', 'job.suspend', 'job.cancel', 'job.complete', 'job.replaceRemotePrefix', 'job.takeOwnership', 'file.update',
])
/** It may take for ever, so nothing waits behind it. */
export const outOfTurn: ReadonlySet<string> = new Set(['job.wait'])

/** An error answer holds no more of what was sent than this of each name. */
const charactersOfName = 256

const bounds = new Map<string, readonly Bound[]>(Object.entries(methods).map(([name, { params }]) => [name, boundsOf(params, name)]))

/** The answers may be long. */
const listing: ReadonlySet<MethodName> = new Set(['job.list', 'file.list', 'rpc.discover', 'queue.stats'])

type AnyMethod = (params: never, call: Call) => unknown

export class Dispatch {
  readonly #broker: Broker
  readonly #changes = new Turns()
  readonly #longAnswers = new LongAnswers()

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** What one connection may call. */
  methodsFor(connection: Connection): ReadonlyMap<string, Method> {
    const { policies } = this.#broker
    const call: Call = {
      ...this.#broker, connection,
      // As the configuration has them now: it may be read again while the connection lasts.
      get caller() { return policies.boundCaller(connection.caller) },
      limits: () => policies.limitsOf(connection.caller),
    }
    const turns = new Turns()
    return new Map((Object.keys(methods) as MethodName[]).map((name) => [name, (params: unknown) => this.#call(name, params, call, turns)]))
  }

  #call(name: MethodName, params: unknown, call: Call, turns: Turns): unknown {
    refuseTooManyFiles(params, call)
    const sent = params ?? {}
    const { isHopeless, faults, unseen } = walk(sent, bounds.get(name) ?? [])
    if (isHopeless) throw invalid([...faults, ...unseen])
    const checked = methods[name].params.safeParse(sent)
    if (!checked.success) throw invalid([...issuesOf(checked.error.issues), ...unseen])
    if (unseen.length > 0) throw invalid(unseen)
    // Each method takes the params of its own schema, which the table guarantees and the loop over names cannot say.
    const method = methodTable[name] as AnyMethod
    const made = (): unknown => method(checked.data as never, call)
    const act = listing.has(name) ? () => this.#longAnswers.make(call.connection, made) : made
    if (!('jobId' in checked.data) || outOfTurn.has(name)) return act()
    const { jobId } = checked.data
    return turns.run(jobId, () => (changing.has(name) ? this.#changes.run(jobId, act) : act()))
  }
}

/** A list that is refused for its length is not looked at, whatever is in it. */
function refuseTooManyFiles(params: unknown, { caller, limits }: Call): void {
  if (caller.isExempt || typeof params !== 'object' || params === null || !('files' in params)) return
  if (!Array.isArray(params.files)) return
  const { filesPerJob, rangesPerFile } = limits()
  if (params.files.length > filesPerJob) throw new Refusal('too-many-files-in-job', { limit: filesPerJob })
  const at = params.files.findIndex((file: { ranges?: unknown } | null) => Array.isArray(file?.ranges) && file.ranges.length > rangesPerFile)
  if (at !== -1) throw new Refusal('too-many-ranges-in-file', { limit: rangesPerFile, path: ['files', at, 'ranges'] })
}

function invalid(issues: readonly Issue[]): Refusal {
  return invalidParams(issues.slice(0, issuesAtMost).map(({ path, message }) => ({
    path: path.map((step) => (typeof step === 'string' ? step.slice(0, charactersOfName) : step)), message: message.slice(0, 1000),
  })))
}

interface ZodIssue {
  readonly code?: string
  readonly keys?: readonly string[]
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** An unknown name is an issue at its own path. */
function issuesOf(issues: readonly ZodIssue[]): Issue[] {
  return issues.flatMap(({ code, keys, path, message }) => {
    const at = path.map((step) => (typeof step === 'number' ? step : String(step)))
    return code === 'unrecognized_keys' && keys ? keys.map((key) => ({ path: [...at, key], message: 'is not known' })) : [{ path: at, message }]
  })
}
