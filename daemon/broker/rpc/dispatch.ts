// From a method's name to its call: params checked by the schema, the caller attached, and its turn. Calls of one
// connection about one job take effect in the order sent; calls that change a job, from wherever, one after another.
import { methods, type MethodName } from '../../../protocol/methods.ts'
import { invalidParams, Refusal, type Issue } from '../../../protocol/refusals.ts'
import type { Method } from '../../../protocol/peer.ts'
import type { Broker, Call } from '../methods/call.ts'
import { methodTable } from '../methods/index.ts'
import { Turns } from '../turns.ts'
import type { Connection } from './connection.ts'

const changing: ReadonlySet<MethodName> = new Set([
  'job.addFiles', 'job.update', 'job.resume', 'job.suspend', 'job.cancel', 'job.complete', 'job.replaceRemotePrefix', 'job.takeOwnership', 'file.update',
])
/** It may take for ever, so nothing waits behind it. */
export const outOfTurn: ReadonlySet<string> = new Set(['job.wait'])

type AnyMethod = (params: never, call: Call) => unknown

export class Dispatch {
  readonly #broker: Broker
  readonly #changes = new Turns()

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
    const checked = methods[name].params.safeParse(params ?? {})
    const unseen = unseenNames(params, [])
    if (!checked.success) throw invalidParams([...issuesOf(checked.error.issues), ...unseen])
    if (unseen.length > 0) throw invalidParams(unseen)
    // Each method takes the params of its own schema, which the table guarantees and the loop over names cannot say.
    const method = methodTable[name] as AnyMethod
    const act = (): unknown => method(checked.data as never, call)
    if (!('jobId' in checked.data) || outOfTurn.has(name)) return act()
    const { jobId } = checked.data
    return turns.run(jobId, () => (changing.has(name) ? this.#changes.run(jobId, act) : act()))
  }
}

/** A list that is refused for its length is not looked at: checking a mebibyte of files takes half a second of everybody's time. */
function refuseTooManyFiles(params: unknown, { caller, limits }: Call): void {
  if (caller.isExempt || typeof params !== 'object' || params === null || !('files' in params)) return
  const limit = limits().filesPerJob
  if (Array.isArray(params.files) && params.files.length > limit) throw new Refusal('too-many-files-in-job', { limit })
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

/** A member named `__proto__` is an own one after `JSON.parse`, and zod drops it without a word. */
function unseenNames(value: unknown, path: Issue['path']): Issue[] {
  if (typeof value !== 'object' || value === null) return []
  const members: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return members.flatMap(([name, member]) => (name === '__proto__' ? [{ path: [...path, name], message: 'is not known' }] : unseenNames(member, [...path, name])))
}
