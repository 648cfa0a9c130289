// The environment of a notify command, built from nothing: where programs are, who the owner is, and which job and
// event it is about. Nothing of the daemon's own environment reaches the program but the language and the time zone.
import type { JobRecord } from '../../core/job.ts'
import type { DeliveredKind } from './delivery.ts'

export interface OwnerAccount {
  readonly name: string
  readonly home: string
}

/** A program of Windows does not even start without some of these. */
const keptNames = process.platform === 'win32' ? ['LANG', 'TZ', 'PATH', 'SystemRoot', 'TEMP', 'USERPROFILE'] : ['LANG', 'TZ']

/** @param account `null` for a uid without an entry in the user database, as in containers */
export function commandEnvironment(job: JobRecord, kind: DeliveredKind, account: OwnerAccount | null, socketPath: string): Record<string, string> {
  const { name, home } = account ?? { name: job.owner.name, home: '/' }
  const kept = keptNames.flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]]]))
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home, USER: name, LOGNAME: name,
    ...Object.fromEntries(kept),
    BACKHAUL_JOB_ID: job.id, BACKHAUL_EVENT: kind, BACKHAUL_SOCKET: socketPath,
  }
}
