// Calls whose answers are long: one of a user in a turn of the event loop, and none for a connection that has not taken its last ones.
// A batch, or a socket full of them, then makes nobody else wait, and what waits to be read stays small.
import { Refusal } from '../../../protocol/refusals.ts'
import { Turns } from '../turns.ts'
import type { Connection } from './connection.ts'

/** With more than this unread no further long answer is made. */
const roomyBytes = 1024 * 1024
const lookAgainMs = 20

export class LongAnswers {
  readonly #turns = new Turns()

  async make(connection: Connection, act: () => unknown): Promise<unknown> {
    for (;;) {
      await roomOn(connection)
      const made = await this.#turns.run(connection.caller.id, async () => {
        if (!isRoomy(connection)) return null
        const result = await act()
        await new Promise(setImmediate)
        return { result }
      })
      if (made) return made.result
    }
  }
}

function isRoomy({ backlogBytes }: Connection): boolean {
  return backlogBytes <= roomyBytes
}

async function roomOn(connection: Connection): Promise<void> {
  while (!connection.isClosed && !isRoomy(connection)) await new Promise((resolve) => { setTimeout(resolve, lookAgainMs) })
  if (connection.isClosed) throw new Refusal('connection-closed')
}
