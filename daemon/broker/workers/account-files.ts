// What can be known about users from files alone: /etc/passwd and /etc/group, where koffi is missing, and which uids are those of
// services, from /etc/login.defs. Lines that are not of the right form are passed over, as the C library does.
import { readFileSync } from 'node:fs'
import type { Account } from './account-record.ts'

/** What shadow takes where login.defs names none. */
const defaultSystemUidMaximum = 999

export function accountFromFile(uid: number, file = '/etc/passwd'): Account | null {
  for (const [name, , itsUid, gid, , home, shell] of records(file)) {
    if (!name || !home || !isId(itsUid) || !isId(gid) || Number(itsUid) !== uid) continue
    return { uid, gid: Number(gid), name, home, ...(shell ? { shell } : {}) }
  }
  return null
}

export function groupIdFromFile(name: string, file = '/etc/group'): number | null {
  for (const [itsName, , gid] of records(file)) {
    if (itsName === name && isId(gid)) return Number(gid)
  }
  return null
}

/** The highest uid of a service account (`SYS_UID_MAX`, login.defs(5)); contract, rule 2. */
export function systemUidMaximum(file = '/etc/login.defs'): number {
  const value = /^[ \t]*SYS_UID_MAX[ \t]+(0[xX][0-9a-fA-F]+|\d+)[ \t]*$/m.exec(textOf(file))?.[1]
  if (value === undefined) return defaultSystemUidMaximum
  // shadow reads numbers as C does: a leading 0 makes it octal.
  const maximum = /^0[0-7]+$/.test(value) ? Number.parseInt(value, 8) : Number(value)
  return Number.isSafeInteger(maximum) ? maximum : defaultSystemUidMaximum
}

function records(file: string): string[][] {
  return textOf(file).split('\n').map((line) => line.split(':'))
}

function isId(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,10}$/.test(text)
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    // Not every system has every one of these files.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
