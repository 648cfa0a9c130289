// events.watch: reads along, for looking.
import type { MethodOf } from './call.ts'

export const eventsWatch: MethodOf<'events.watch'> = (params, { notifier, connection }) => notifier.watch(params, connection)
