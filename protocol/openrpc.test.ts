import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { callbacks } from './events.ts'
import { methods } from './methods.ts'
import { openRpcDocument } from './openrpc.ts'

const jsonSchema = {
  type: ['object', 'boolean'],
  definitions: { JSONSchemaObject: { properties: { $ref: { type: 'string' } } } },
}
const document = openRpcDocument() as { methods: { name: string; paramStructure: string; params: { name: string; required: boolean; schema: object }[]; errors?: { code: number }[] }[] }

// It names JSON Schema's own meta-schema by an address of its own, in two spellings; whether the schemas hold is a test below.
const published = createRequire(import.meta.url)('@open-rpc/meta-schema') as { metaSchema?: object; default?: object }
const validate = new Ajv({
  strict: false, validateFormats: false, validateSchema: false,
  schemas: ['', '/'].map((end) => ({ ...jsonSchema, $id: `https://meta.json-schema.tools${end}` })),
}).compile(published.metaSchema ?? published.default ?? published)

function isOpenRpc(value: unknown): boolean {
  return validate(JSON.parse(JSON.stringify(value)))
}

test('the document is valid by the published meta-schema', () => {
  assert.ok(isOpenRpc(document), JSON.stringify(validate.errors?.slice(0, 3)))
})

test('the meta-schema is looked at: a document without methods is not valid', () => {
  assert.equal(isOpenRpc({ ...document, methods: undefined }), false)
  assert.equal(isOpenRpc({ ...document, methods: [{ name: 'x' }] }), false)
})

test('it names every method and every call of the daemon, once, with named params', () => {
  const names = document.methods.map(({ name }) => name)
  assert.deepEqual([...names].sort(), [...Object.keys(methods), ...Object.keys(callbacks), 'events.event'].sort())
  assert.ok(document.methods.every(({ paramStructure }) => paramStructure === 'by-name'))
})

test('each schema in it is one that a validator takes, and required params come first', () => {
  const ajv = new Ajv({ strict: false, validateFormats: false })
  for (const { name, params } of document.methods) {
    for (const { schema } of params) ajv.compile(schema)
    assert.deepEqual(params.map(({ required }) => required), params.map(({ required }) => required).sort((a, b) => Number(b) - Number(a)), name)
  }
})

test('what may be left out is said so', () => {
  const { params = [] } = document.methods.find(({ name }) => name === 'job.create') ?? {}
  assert.deepEqual(params.filter(({ required }) => required).map(({ name }) => name), ['displayName'])
})

test('the schema of a result forbids no member: results may gain some', () => {
  const results = (openRpcDocument()['methods'] as readonly { readonly result?: unknown }[]).map(({ result }) => JSON.stringify(result ?? null))
  assert.equal(results.filter((text) => text.includes('"additionalProperties":false')).length, 0)
})
