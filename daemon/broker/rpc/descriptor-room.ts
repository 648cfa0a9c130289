// How many connections the process may hold so that descriptors are left for the store, the workers and the log: without them a
// commit fails, and everybody pays for one who opens too many.
import { readFileSync } from 'node:fs'

const reserved = 256
/** What is assumed where the limit cannot be read. */
const assumed = 1024

export function connectionsThatFit(limitsText: string = readLimits()): number {
  const found = /^Max open files\s+(\d+|unlimited)/m.exec(limitsText)?.[1]
  if (found === 'unlimited') return Infinity
  const descriptors = found === undefined ? assumed : Number(found)
  return Math.max(Math.floor(descriptors / 2), descriptors - reserved)
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch (error) {
    // Only Linux has it.
    if (error instanceof Error && 'code' in error) return ''
    throw error
  }
}
