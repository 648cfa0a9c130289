// policy.get: which policy of the configuration applies to the caller, why, and what it allows him.
import type { MethodOf } from './call.ts'

export const policyGet: MethodOf<'policy.get'> = (_, { policies, caller }) => policies.describe(caller)
