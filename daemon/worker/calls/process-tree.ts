// Ends a program with all that it started: its group and session, its descendants, and what left both (setsid(2), a parent that
// exited) but still carries the environment that the program was given. Where there is no /proc, the group alone.
import { readdirSync, readFileSync } from 'node:fs'
import { codeOf } from '../failure-from.ts'

/** Whoever forks while it is ended is found in the next round. */
const roundsAtMost = 5

/** `marks`: entries of the environment, `NAME=value`, that together are its own. */
export function endTree(root: number, marks: readonly string[]): void {
  const ended = new Set<number>([process.pid])
  for (let round = 0; round < roundsAtMost; round++) {
    // Found before anything is ended: orphans have another parent.
    const found = membersOf(root, marks).filter((pid) => !ended.has(pid))
    if (round === 0) end(-root)
    for (const pid of found) {
      ended.add(pid)
      end(pid)
    }
    if (found.length === 0) return
  }
}

function membersOf(root: number, marks: readonly string[]): number[] {
  if (process.platform !== 'linux') return []
  const members = new Set([root])
  const others = readdirSync('/proc').map(Number).filter((pid) => pid > 0).map((pid) => ({ pid, ...placeOf(pid) }))
  const size = (): number => members.size
  // Parents may come after their children in the list.
  for (let before = 0; before !== size();) {
    before = size()
    for (const { pid, parent, session } of others) if (members.has(parent) || session === root) members.add(pid)
  }
  for (const { pid } of others) if (!members.has(pid) && marks.length > 0 && carries(pid, marks)) members.add(pid)
  return [...members]
}

/** proc(5): `pid (command) state parent group session …`, and the command may hold anything. */
function placeOf(pid: number): { readonly parent: number; readonly session: number } {
  const text = textOf(`/proc/${pid}/stat`)
  const [, parent = 0, , session = 0] = text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number)
  return { parent, session }
}

function carries(pid: number, marks: readonly string[]): boolean {
  const entries = new Set(textOf(`/proc/${pid}/environ`).split('\0'))
  return marks.every((mark) => entries.has(mark))
}

/** Nothing for a process that has ended, or is somebody else's. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It ended by itself in the meantime, or became somebody else (sudo).
    if (codeOf(error) !== 'ESRCH' && codeOf(error) !== 'EPERM') throw error
  }
}
