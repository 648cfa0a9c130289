// events.unwatch: the end of a watch; one that is over already is no mistake.
import type { MethodOf } from './call.ts'

export const eventsUnwatch: MethodOf<'events.unwatch'> = (params, { notifier, connection }) => {
  notifier.unwatch(params, connection)
  return {}
}
