// system.ping: answers.
import type { MethodOf } from './call.ts'

export const systemPing: MethodOf<'system.ping'> = () => ({})
