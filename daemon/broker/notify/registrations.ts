// The live registrations, and which of them a job's events of a kind go to: an explicit job beats an application,
// which beats all; within one kind of scope the last wins. `application` and `all` cover the jobs that the caller
// owns, now and later. When an admin takes a job over, what covered it goes on covering it until the new owner
// registers something for it (contract §4 rules 3 and 7). Memory only; nothing here calls anybody.
import { mayTouch, type Caller } from '../../core/access.ts'
import type { JobRecord } from '../../core/job.ts'
import type { EventKind } from '../../../protocol/options.ts'
import type { Endpoint } from './endpoint.ts'

export type Scope =
  | { readonly kind: 'jobs'; readonly jobIds: ReadonlySet<string> }
  | { readonly kind: 'application'; readonly application: string }
  | { readonly kind: 'all' }

export interface Registration {
  readonly id: string
  /** Rises with each registration. */
  readonly number: number
  /** Who registered: his calls these are, whoever owns the job. */
  readonly caller: Caller
  readonly scope: Scope
  readonly kinds: ReadonlySet<EventKind>
  readonly endpoint: Endpoint
}

const rankOf = { all: 0, application: 1, jobs: 2 } as const

export class Registrations {
  readonly #byId = new Map<string, Registration>()
  readonly #byCaller = new Map<string, Set<Registration>>()
  readonly #byEndpoint = new Map<Endpoint, Set<Registration>>()
  readonly #byJob = new Map<string, Set<Registration>>()
  /** What covered a job when it was taken over. */
  readonly #kept = new Map<string, Set<Registration>>()
  #lastNumber = 0

  add(made: Omit<Registration, 'number'>, jobOf: (id: string) => JobRecord | null): Registration {
    const registration = { ...made, number: ++this.#lastNumber }
    this.#byId.set(made.id, registration)
    put(this.#byCaller, made.caller.id, registration)
    put(this.#byEndpoint, made.endpoint, registration)
    if (made.scope.kind === 'jobs') for (const id of made.scope.jobIds) put(this.#byJob, id, registration)
    for (const id of [...this.#kept.keys()]) {
      const job = jobOf(id)
      if (!job || (job.owner.id === made.caller.id && isInScope(registration, job))) this.#kept.delete(id)
    }
    return registration
  }

  get(id: string): Registration | null {
    return this.#byId.get(id) ?? null
  }

  remove(registration: Registration): void {
    this.#byId.delete(registration.id)
    take(this.#byCaller, registration.caller.id, registration)
    take(this.#byEndpoint, registration.endpoint, registration)
    if (registration.scope.kind === 'jobs') for (const id of registration.scope.jobIds) take(this.#byJob, id, registration)
    for (const id of [...this.#kept.keys()]) take(this.#kept, id, registration)
  }

  countOf(callerId: string): number {
    return this.#byCaller.get(callerId)?.size ?? 0
  }

  at(endpoint: Endpoint): readonly Registration[] {
    return [...this.#byEndpoint.get(endpoint) ?? []]
  }

  /** Whom an event of the job is told to. */
  of(job: JobRecord, kind: EventKind): Registration | null {
    const kept = best(this.#kept.get(job.id) ?? [], kind)
    return kept ?? best(this.#inScope(job), kind)
  }

  covers(registration: Registration, job: JobRecord): boolean {
    if (this.#byId.get(registration.id) !== registration) return false
    return isInScope(registration, job) || (this.#kept.get(job.id)?.has(registration) ?? false)
  }

  /** The job has another owner: what covered it before goes on being called. */
  handOver(before: JobRecord): void {
    const covering = new Set([...this.#kept.get(before.id) ?? [], ...this.#inScope(before)])
    if (covering.size > 0) this.#kept.set(before.id, covering)
  }

  /** The job has ended. */
  forget(jobId: string): void {
    this.#kept.delete(jobId)
    this.#byJob.delete(jobId)
  }

  #inScope(job: JobRecord): Registration[] {
    const candidates = new Set([...this.#byJob.get(job.id) ?? [], ...this.#byCaller.get(job.owner.id) ?? []])
    return [...candidates].filter((registration) => isInScope(registration, job))
  }
}

/** Whether the scope holds the job, for somebody who may know of it. */
export function isInScope({ scope, caller }: Registration, job: JobRecord): boolean {
  if (scope.kind === 'jobs') return scope.jobIds.has(job.id) && mayTouch(caller, job)
  return job.owner.id === caller.id && (scope.kind === 'all' || scope.application === job.application)
}

function best(registrations: Iterable<Registration>, kind: EventKind): Registration | null {
  let found: Registration | null = null
  for (const each of registrations) if (each.kinds.has(kind) && (found === null || beats(each, found))) found = each
  return found
}

function beats(one: Registration, other: Registration): boolean {
  const byRank = rankOf[one.scope.kind] - rankOf[other.scope.kind]
  return byRank === 0 ? one.number > other.number : byRank > 0
}

function put<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const present = sets.get(key)
  if (present) present.add(value)
  else sets.set(key, new Set([value]))
}

function take<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const present = sets.get(key)
  if (present?.delete(value) && present.size === 0) sets.delete(key)
}
