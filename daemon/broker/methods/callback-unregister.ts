// callback.unregister: the end of a registration; its events stay.
import type { MethodOf } from './call.ts'

export const callbackUnregister: MethodOf<'callback.unregister'> = (params, { notifier, connection }) => {
  notifier.unregister(params, connection)
  return {}
}
