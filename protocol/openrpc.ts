// The OpenRPC 1.x description, made from the same schemas that check the calls, so that it cannot drift. The
// daemon's own calls to endpoints are in it too, marked by the extension `x-caller`.
import * as z from 'zod'
import { callbacks, watchEvent } from './events.ts'
import { methods } from './methods.ts'
import { refusals } from './refusals.ts'
import { protocolVersion } from './version.ts'

interface JsonSchema {
  readonly properties?: Readonly<Record<string, unknown>>
  readonly required?: readonly string[]
}

const codeOfKind = Object.entries(refusals).filter(([, { code }]) => code > 0 && code < 2000)

export function openRpcDocument(): Record<string, unknown> {
  const called = Object.entries(methods).map(([name, { summary, params, result }]) => ({
    ...describe(name, summary, params),
    result: { name: 'result', schema: schemaOf(result, 'output') },
    errors: codeOfKind.map(([kind, { code, sentence }]) => ({ code, message: sentence, data: { kind } })),
    'x-caller': 'client',
  }))
  const calling = Object.entries(callbacks).map(([name, { summary, params }]) => ({
    ...describe(name, summary, params),
    result: { name: 'acknowledgement', schema: {} },
    'x-caller': 'daemon',
  }))
  const notification = { ...describe('events.event', 'What a watch sees; a notification, not answered.', watchEvent), 'x-caller': 'daemon' }
  return {
    openrpc: '1.3.2',
    info: { title: 'Backhaul', version: protocolVersion, license: { name: 'MIT' } },
    methods: [...called, ...calling, notification],
  }
}

function describe(name: string, summary: string, params: z.ZodType): Record<string, unknown> {
  const schema = schemaOf(params, 'input')
  const required = new Set(schema.required ?? [])
  const descriptors = Object.entries(schema.properties ?? {})
    .map(([param, paramSchema]) => ({ name: param, required: required.has(param), schema: paramSchema }))
    .sort((a, b) => Number(b.required) - Number(a.required))
  return { name, summary, paramStructure: 'by-name', params: descriptors }
}

/** A result may gain members, at every depth. */
function leaveOpen({ jsonSchema }: { readonly jsonSchema: { additionalProperties?: unknown } }): void {
  if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...bare } = z.toJSONSchema(schema, { io, target: 'draft-7', unrepresentable: 'any', override: io === 'output' ? leaveOpen : () => {} })
  return bare as JsonSchema
}
