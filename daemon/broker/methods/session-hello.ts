// session.hello: who is there. Optional; it changes nothing.
import { capabilities, isCompatible, packageVersion, protocolVersion } from '../../../protocol/version.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import type { MethodOf } from './call.ts'

export const sessionHello: MethodOf<'session.hello'> = ({ protocol, require = [] }, { caller, instance, limits }) => {
  if (protocol !== undefined && !isCompatible(protocol)) throw new Refusal('not-supported', { protocol: protocolVersion }, 'The protocol version is not supported.')
  const missing = require.filter((name) => !(capabilities as readonly string[]).includes(name))
  if (missing.length > 0) throw new Refusal('not-supported', { missing }, 'A required capability is missing.')
  const { jobsPerMachine, jobsPerUser, filesPerJob, rangesPerFile } = limits()
  return {
    protocol: protocolVersion,
    daemon: { name: 'backhauld', version: packageVersion, instanceId: instance.id, mode: instance.mode, startedAt: instance.startedAt, pid: process.pid },
    caller: { id: caller.id, name: caller.name, role: caller.role },
    limits: { jobsPerMachine, jobsPerUser, filesPerJob, rangesPerFile },
    capabilities: [...capabilities],
  }
}
