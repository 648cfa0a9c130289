// What a line would cost to read, told from its characters before `JSON.parse` sees it. A mebibyte of small objects, of names that
// are all different or of nesting takes the parser up to a hundred times as long as a mebibyte of files, and everybody waits.

import { maximumDepth } from './framing.ts'
import { invalidParams, Refusal } from './refusals.ts'

/** A line shorter than this is cheap, whatever it holds. */
export const alwaysLightCharacters = 4096

export interface Weight {
  readonly isTooDeep: boolean
  /** What was opened was closed; else it is no JSON. */
  readonly isBalanced: boolean
  /** Elements and members, and what holds them. */
  readonly values: number
  /** Strings that are no names. */
  readonly strings: number
  /** About how many different names there are: never more than there are. */
  readonly names: number
  /** Where the value of the member `id` of the message begins, or -1. */
  readonly idAt: number
}

/** Forty thousand ranges, as many as a line can hold, are 130,000 values. A job may have 16,384 characters of headers. */
export const heaviest = { values: 150_000, strings: 65_536, names: 4096 } as const

/** So that nobody can choose names that count as one. */
const seed = Math.floor(Math.random() * 0x7fffffff)
const buckets = 1 << 16

/** It need not be JSON. All of it is read, since the id of whoever asked may come last. */
export function weigh(text: string, maximumDepth: number): Weight {
  const seen = new Uint8Array(buckets)
  let depth = 0
  let isTooDeep = false
  let values = 0
  let strings = 0
  let names = 0
  let idAt = -1
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === 0x22) {
      const start = at
      let hash = seed
      for (at++; at < text.length; at++) {
        const inside = text.charCodeAt(at)
        if (inside === 0x22) break
        if (inside === 0x5c) at++
        hash = (Math.imul(hash, 31) + inside) | 0
      }
      let next = at + 1
      while (isSpace(text.charCodeAt(next))) next++
      if (text.charCodeAt(next) !== 0x3a) strings++
      else {
        const bucket = (hash ^ (hash >>> 16)) & (buckets - 1)
        if (seen[bucket] === 0) names++
        seen[bucket] = 1
        if (depth === 1 && at - start === 3 && text.startsWith('"id"', start)) idAt = next + 1
      }
    } else if (character === 0x2c) values++
    else if (character === 0x7b || character === 0x5b) {
      values++
      if (++depth > maximumDepth) isTooDeep = true
    } else if (character === 0x7d || character === 0x5d) depth--
  }
  return { isTooDeep, isBalanced: depth === 0, values, strings, names, idAt }
}

export function isTooHeavy({ values, strings, names }: Weight): boolean {
  return values > heaviest.values || strings > heaviest.strings || names > heaviest.names
}

const scalar = /\s*("(?:[^"\\]|\\.){0,1000}"|-?\d{1,20}(?:\.\d{1,20})?)\s*[,}]/y

/** The id of a message that is not parsed; `null` where it cannot be told. */
export function idAt(text: string, position: number): string | number | null {
  if (position === -1) return null
  scalar.lastIndex = position
  const found = scalar.exec(text)?.[1]
  if (found === undefined) return null
  try {
    return JSON.parse(found) as string | number
  } catch {
    // A string that is none: the line was no JSON.
    return null
  }
}

/** What it says of a line that would cost too much to parse, and to whom. */
export function refusalOfHeavy(text: string): { readonly id: string | number | null; readonly refusal: Refusal } | null {
  const weight = weigh(text, maximumDepth)
  if (!weight.isTooDeep && !isTooHeavy(weight)) return null
  if (!weight.isBalanced) return { id: null, refusal: new Refusal('parse-error') }
  const id = idAt(text, weight.idAt)
  if (weight.isTooDeep) return { id, refusal: new Refusal('message-too-deep') }
  const { values, strings, names } = heaviest
  const most = `a message may hold ${values} values, ${strings} of them strings, and ${names} different names`
  return { id, refusal: invalidParams([{ path: [], message: most }]) }
}

function isSpace(character: number): boolean {
  return character === 0x20 || character === 0x09 || character === 0x0a || character === 0x0d
}
