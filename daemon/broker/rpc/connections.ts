// Accepts callers: asks the kernel who each one is, keeps to the number of connections a user may have, and gives each
// connection its session. One whose caller cannot be told is refused.
import { randomUUID } from 'node:crypto'
import type net from 'node:net'
import { Refusal, type RefusalKind } from '../../../protocol/refusals.ts'
import type { Log } from '../../log.ts'
import { callerOf, type CallersOptions } from './callers.ts'
import { connectionsThatFit } from './descriptor-room.ts'
import { outOfTurn, type Dispatch } from './dispatch.ts'
import { FairShare } from './fair-share.ts'
import { identify } from './identity.ts'
import { HeldBytes } from './held-bytes.ts'
import { endWithWords } from './last-words.ts'
import { Session } from './session.ts'

export interface ConnectionsOptions extends CallersOptions {
  readonly dispatch: Dispatch
  readonly connectionsPerUser: () => number
  readonly log: Log
}

export class Connections {
  readonly #options: ConnectionsOptions
  readonly #fairShare = new FairShare()
  readonly #heldBytes = new HeldBytes()
  /** Of all users together. */
  readonly #room = connectionsThatFit()
  readonly #sessions = new Set<Session>()
  readonly #countByUser = new Map<string, number>()
  #lastId = 0

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  async accept(socket: net.Socket): Promise<void> {
    socket.on('error', () => socket.destroy())
    try {
      const identity = identify(socket)
      const count = (this.#countByUser.get(identity.id) ?? 0) + 1
      this.#countByUser.set(identity.id, count)
      socket.once('close', () => this.#left(identity.id))
      const limit = this.#options.connectionsPerUser()
      if (this.#sessions.size >= this.#room) return refuse(socket, new Refusal('too-many-connections', { limit: this.#room }, 'The service has as many connections as it can hold.'))
      if (count > limit) return refuse(socket, new Refusal('too-many-connections', { limit }))
      const caller = await callerOf(identity, this.#options)
      if (!socket.destroyed) this.#open(socket, caller)
    } catch (error) {
      if (error instanceof Refusal) return refuse(socket, error)
      this.#options.log.warn({ err: error }, 'a connection was refused: who is calling cannot be told')
      socket.destroy()
    }
  }

  /** Answers what was asked, then closes. */
  async close(): Promise<void> {
    const closed = [...this.#sessions].map((session) => new Promise<void>((resolve) => {
      session.onClosed(resolve)
      session.close()
    }))
    await Promise.all(closed)
  }

  #open(socket: net.Socket, caller: Session['caller']): void {
    const session = new Session({
      id: ++this.#lastId, socket, caller, fairShare: this.#fairShare, heldBytes: this.#heldBytes, log: this.#options.log, isPatient: (method) => outOfTurn.has(method),
      methods: (connection) => this.#options.dispatch.methodsFor(connection),
      onDefect: (error, method) => {
        const incident = randomUUID().slice(0, 8)
        this.#options.log.error({ err: error, method, incident }, 'a call failed inside the service')
        return incident
      },
    })
    this.#sessions.add(session)
    session.onClosed(() => this.#sessions.delete(session))
  }

  #left(userId: string): void {
    const count = (this.#countByUser.get(userId) ?? 1) - 1
    if (count > 0) this.#countByUser.set(userId, count)
    else this.#countByUser.delete(userId)
  }
}

function refuse(socket: net.Socket, { code, message, data }: { code: number; message: string; data: { kind: RefusalKind | string } }): void {
  endWithWords(socket, `${JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message, data } })}\n`)
}
