// The counts that schemas state, checked in one walk before zod looks at anything: zod makes an issue for every fault, and an issue
// costs a hundred times what its element does. The walk keeps its own stack, so nesting cannot end it, and it stops at some tens
// of faults. It knows only what is cheap (kinds, counts, names); where the faults are few zod finds them again and words them.
import * as z from 'zod'
import type { Issue } from './refusals.ts'

export const issuesAtMost = 32
/** A text of this length costs little, and zod says better what is wrong with it. */
const cheapCharacters = 4096

/** What a value may be; of several bounds one has to fit. */
export type Bound =
  | { readonly kind: 'null' | 'boolean' }
  | { readonly kind: 'number'; readonly integer: boolean; readonly minimum: number; readonly maximum: number }
  | { readonly kind: 'string'; readonly maximum: number }
  | { readonly kind: 'array'; readonly maximum: number; readonly element: readonly Bound[] }
  | { readonly kind: 'record'; readonly maximum: number; readonly value: readonly Bound[] }
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, Member>; readonly required: readonly string[] }
interface Member {
  readonly bounds: readonly Bound[]
  readonly isRequired: boolean
}

/** What is used here of JSON Schema, which is what zod states its limits in for others to read. */
interface JsonSchema {
  readonly type?: string
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly maxLength?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | boolean
}

/** @throws Error where an array, a record or a string states no maximum: whoever calls could make it as large as he likes */
export function boundsOf(schema: z.ZodType, name: string): readonly Bound[] {
  return boundsOfJson(z.toJSONSchema(schema, { io: 'input', target: 'draft-7' }) as JsonSchema, name)
}

/** The longest texts of a format, where a format is all that a string is bound by. */
const lengthOfFormat: Readonly<Record<string, number>> = { guid: 36, uuid: 36 }

function boundsOfJson(schema: JsonSchema, name: string): readonly Bound[] {
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return choices.flatMap((choice) => boundsOfJson(choice, name))
  if (schema.const !== undefined) return boundsOfValues([schema.const])
  if (schema.enum) return boundsOfValues(schema.enum)
  const { type } = schema
  if (type === 'null' || type === 'boolean') return [{ kind: type }]
  if (type === 'number' || type === 'integer') {
    return [{ kind: 'number', integer: type === 'integer', minimum: schema.minimum ?? -Infinity, maximum: schema.maximum ?? Infinity }]
  }
  if (type === 'string') return [{ kind: 'string', maximum: stated(schema.maxLength ?? lengthOfFormat[schema.format ?? ''], name) }]
  if (type === 'array') {
    return [{ kind: 'array', maximum: stated(schema.maxItems, name), element: boundsOfJson(schema.items ?? {}, `${name}[]`) }]
  }
  if (type === 'object' && typeof schema.additionalProperties === 'object') {
    const value = boundsOfJson(schema.additionalProperties, `${name}{}`)
    return [{ kind: 'record', maximum: stated(schema.maxProperties, name), value }]
  }
  if (type === 'object' && schema.additionalProperties === false) {
    const required = new Set(schema.required)
    const members = Object.entries(schema.properties ?? {}).map(([member, of]) => {
      return [member, { bounds: boundsOfJson(of, `${name}.${member}`), isRequired: required.has(member) }] as const
    })
    return [{ kind: 'object', members: new Map(members), required: schema.required ?? [] }]
  }
  throw new Error(`${name} could be anything of any size`)
}

function stated(maximum: number | undefined, name: string): number {
  if (maximum === undefined) throw new Error(`${name} has no maximum`)
  return maximum
}

function boundsOfValues(values: readonly unknown[]): readonly Bound[] {
  const strings = values.filter((value) => typeof value === 'string')
  return [
    ...(strings.length > 0 ? [{ kind: 'string' as const, maximum: Math.max(...strings.map(({ length }) => length)) }] : []),
    ...(values.includes(null) ? [{ kind: 'null' as const }] : []),
    ...(values.some((value) => typeof value === 'boolean') ? [{ kind: 'boolean' as const }] : []),
  ]
}

/** Where a value stands: a step from where its container stands. */
interface Place {
  readonly parent: Place | null
  readonly step: string | number
}

export interface Walked {
  /** There are more faults than are worth wording: the value is refused with these. */
  readonly isHopeless: boolean
  readonly faults: readonly Issue[]
  /** Members named `__proto__`: own ones after `JSON.parse`, which zod drops without a word. */
  readonly unseen: readonly Issue[]
}

interface Pending {
  readonly value: object
  readonly bound: Bound
  readonly place: Place | null
}

/** Walks a value that came from `JSON.parse`. A count over its maximum is hopeless at once: nothing of that list is looked at. */
export function walk(value: unknown, bounds: readonly Bound[]): Walked {
  const faults: Issue[] = []
  const unseen: Issue[] = []
  const pending: Pending[] = []
  let isOver = false

  const fault = (parent: Place | null, step: string | number | null, message: string): void => {
    faults.push({ path: step === null ? pathOf(parent) : [...pathOf(parent), step], message })
  }
  const look = (each: unknown, allowed: readonly Bound[], parent: Place | null, step: string | number | null): void => {
    const bound = fitting(each, allowed)
    if (bound === null) return fault(parent, step, `must be ${allowed.map(({ kind }) => kind).join(' or ')}`)
    const excess = excessOf(each, bound)
    if (excess !== null) {
      isOver ||= bound.kind !== 'number'
      return fault(parent, step, excess)
    }
    if (typeof each !== 'object' || each === null) return
    pending.push({ value: each, bound, place: step === null ? parent : { parent, step } })
  }

  look(value, bounds, null, null)
  for (let next = pending.pop(); next && faults.length < issuesAtMost; next = pending.pop()) {
    const { value: container, bound, place } = next
    if (bound.kind === 'array') {
      const elements = container as readonly unknown[]
      for (let at = 0; at < elements.length && faults.length < issuesAtMost; at++) look(elements[at], bound.element, place, at)
      continue
    }
    let required = 0
    // What came from `JSON.parse` inherits no name that could be listed.
    for (const name in container) {
      if (faults.length >= issuesAtMost) break
      const member = (container as Readonly<Record<string, unknown>>)[name]
      const known = bound.kind === 'object' ? bound.members.get(name) : undefined
      if (known?.isRequired) required++
      if (name === '__proto__') unseen.push({ path: [...pathOf(place), name], message: 'is not known' })
      else if (bound.kind === 'record') look(member, bound.value, place, name)
      else if (known) look(member, known.bounds, place, name)
      else fault(place, name, 'is not known')
    }
    if (bound.kind !== 'object' || required === bound.required.length) continue
    for (const name of bound.required) if (!Object.hasOwn(container, name)) fault(place, name, 'is missing')
  }
  return { isHopeless: isOver || faults.length + unseen.length >= issuesAtMost, faults, unseen }
}

/** Of several bounds of the value's kind the largest: which of them it is to be only zod can tell. */
function fitting(value: unknown, bounds: readonly Bound[]): Bound | null {
  let best: Bound | null = null
  for (const bound of bounds) {
    if (isOfKind(value, bound) && (best === null || sizeOf(bound) > sizeOf(best))) best = bound
  }
  return best
}

function sizeOf(bound: Bound): number {
  if (bound.kind === 'object') return bound.members.size
  return 'maximum' in bound ? bound.maximum : 0
}

function isOfKind(value: unknown, { kind }: Bound): boolean {
  if (kind === 'null') return value === null
  if (kind === 'array') return Array.isArray(value)
  if (kind === 'object' || kind === 'record') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === kind
}

function excessOf(value: unknown, bound: Bound): string | null {
  if (bound.kind === 'array' && (value as readonly unknown[]).length > bound.maximum) return `may hold ${bound.maximum} elements`
  if (bound.kind === 'string' && (value as string).length > Math.max(cheapCharacters, bound.maximum)) return `may hold ${bound.maximum} characters`
  if (bound.kind === 'record' && countOver(value as object, bound.maximum)) return `may hold ${bound.maximum} members`
  if (bound.kind === 'object' && countOver(value as object, bound.members.size + issuesAtMost)) return 'has names that are not known'
  if (bound.kind !== 'number') return null
  const number = value as number
  if (bound.integer && !Number.isSafeInteger(number)) return 'must be a whole number'
  return number < bound.minimum || number > bound.maximum ? `must be from ${bound.minimum} to ${bound.maximum}` : null
}

function countOver(value: object, maximum: number): boolean {
  let count = 0
  for (const _ in value) if (++count > maximum) return true
  return false
}

function pathOf(place: Place | null): (string | number)[] {
  const steps: (string | number)[] = []
  for (let at = place; at; at = at.parent) steps.push(at.step)
  return steps.reverse()
}
