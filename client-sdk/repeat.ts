// Which calls may be sent once more when the connection was lost before the answer came. Pure. Reading twice is
// harmless, and a creation with a client token is answered with the first job; every other call may have
// taken effect already, so that is for the program to find out.
import type { MethodName } from '../protocol/methods.ts'

const reads: ReadonlySet<MethodName> = new Set<MethodName>([
  'session.hello', 'rpc.discover', 'system.ping', 'queue.stats', 'job.get', 'job.list', 'job.wait', 'job.explain', 'file.list', 'file.get',
])

/** The params to send again, or `null` where the call must not be repeated. A wait goes on for the time that is left. */
export function paramsToRepeat(method: MethodName, params: object, elapsedMs: number): object | null {
  if (method === 'job.create') return 'clientToken' in params && params.clientToken !== undefined ? params : null
  if (!reads.has(method)) return null
  if (method !== 'job.wait' || !('timeoutSeconds' in params) || typeof params.timeoutSeconds !== 'number') return params
  return { ...params, timeoutSeconds: Math.max(0, params.timeoutSeconds - elapsedMs / 1000) }
}
