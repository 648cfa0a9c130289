// The written protocol and the tables that check the calls say the same, both ways.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { callbacks } from './events.ts'
import { failureContexts } from './failures.ts'
import { methods } from './methods.ts'
import { defaultOptions } from './options.ts'
import { refusals } from './refusals.ts'

const page = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')

/** The rows of the table with this head, as cells. */
function tableUnder(head: RegExp): string[][] {
  const lines = page.split('\n')
  const at = lines.findIndex((line) => head.test(line))
  assert.notEqual(at, -1, `a table with the head ${head.source}`)
  const end = lines.findIndex((line, index) => index > at && !line.startsWith('|'))
  return lines.slice(at + 2, end === -1 ? undefined : end).map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()))
}

function quoted(text: string | undefined): string[] {
  return [...(text ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
}

test('every refusal of the daemon is on the page with its code, and no other', () => {
  const written = tableUnder(/^\| code \| kind \|/).map(([code, kind]) => [quoted(kind)[0], Number(code?.replace('−', '-'))])
  const known = Object.entries(refusals).filter(([, { code }]) => code < 2000).map(([kind, { code }]) => [kind, code])
  assert.deepEqual(written.sort(), known.sort())
})

test('whether a refusal is retryable is on the page', () => {
  for (const [code, kind, , when] of tableUnder(/^\| code \| kind \|/)) {
    const entry = refusals[quoted(kind)[0] as keyof typeof refusals]
    assert.equal(when?.includes('retryable') ?? false, 'retryable' in entry && entry.retryable, code)
  }
})

test('every method is on the page, and no other', () => {
  const written = tableUnder(/^\| method \|/).flatMap(([name]) => quoted(name))
  assert.deepEqual(written.sort(), Object.keys(methods).sort())
})

test('every param of a method is on the page, with a question mark where it may be left out', () => {
  for (const [name, shapes] of tableUnder(/^\| method \|/)) {
    const params = shapes?.split('→')[0] ?? ''
    for (const each of quoted(name)) {
      const { shape } = methods[each as keyof typeof methods].params as { shape: Record<string, { safeParse(value: unknown): { success: boolean } }> }
      for (const [param, schema] of Object.entries(shape)) {
        assert.match(params, new RegExp(`\\b${param}\\b`), `${each}: ${param}`)
        if (each !== 'callback.register') assert.equal(new RegExp(`\\b${param}\\?`).test(params), schema.safeParse(undefined).success, `${each}: ${param}`)
      }
    }
  }
})

test('every call of the daemon is on the page, and no other', () => {
  assert.deepEqual(tableUnder(/^\| call \| params/).flatMap(([name]) => quoted(name)).sort(), Object.keys(callbacks).sort())
})

test('every failure code is on the page under its context, and no other', () => {
  const written = tableUnder(/^\| context \| codes/).flatMap(([context, codes]) => quoted(codes).map((code) => [code, quoted(context)[0]]))
  assert.deepEqual(written.sort(), Object.entries(failureContexts).sort())
})

test('every option is on the page with its default', () => {
  const written = new Map(tableUnder(/^\| option \| default/).map(([name, value]) => [quoted(name)[0], JSON.parse((value ?? '').replaceAll('`', '')) as unknown]))
  const { notify, http, ...plain } = defaultOptions
  const flat = [...Object.entries(plain), ...Object.entries(notify).map(([name, value]) => [`notify.${name}`, value] as const), ...Object.entries(http).map(([name, value]) => [`http.${name}`, value] as const)]
  assert.deepEqual([...written].sort(), flat.sort())
})
