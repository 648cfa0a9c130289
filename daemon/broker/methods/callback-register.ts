// callback.register: where the caller wants to be called, and at once what he has not heard of.
import type { MethodOf } from './call.ts'

export const callbackRegister: MethodOf<'callback.register'> = (params, { notifier, connection }) => notifier.register(params, connection)
