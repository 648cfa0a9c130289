// The sockets that programs of the owner serve in order to be called: connected to with the owner's rights, which
// are this process's own. What such a program answers is its own affair; only that it answered counts.
import { statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { createPeer, type Peer } from '../../../protocol/peer.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import type { Orders } from '../../link/messages.ts'
import { codeOf } from '../failure-from.ts'

const connectLimitMs = 5000
/** Calls waiting in a program that does not read are not buffered without end. */
const largestBacklog = 4 * 1024 * 1024

type Call = Orders['endpoint.call']

export class Endpoints {
  readonly #open = new Map<number, { readonly socket: Socket; readonly peer: Peer }>()
  readonly #onClosed: (endpointId: number) => void

  constructor(onClosed: (endpointId: number) => void) {
    this.#onClosed = onClosed
  }

  async open({ endpointId, path }: Orders['endpoint.open']['params']): Promise<Orders['endpoint.open']['result']> {
    const refused = whyNoSocket(path)
    if (refused !== null) return { failure: refused }
    try {
      this.#serve(endpointId, await dial(path))
      return { failure: null }
    } catch (error) {
      return { failure: `The socket could not be connected to (${codeOf(error)}).` }
    }
  }

  async call({ endpointId, method, params, timeoutMs }: Call['params']): Promise<Call['result']> {
    const endpoint = this.#open.get(endpointId)
    if (!endpoint) return { answered: false, message: 'The endpoint is not connected.' }
    try {
      await endpoint.peer.request(method, params, { timeoutMs })
      return { answered: true, message: null }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return { answered: false, message: error.message.slice(0, 500) }
    }
  }

  closeOne(endpointId: number): void {
    this.#open.get(endpointId)?.socket.destroy()
  }

  close(): void {
    for (const { socket } of this.#open.values()) socket.destroy()
  }

  #serve(endpointId: number, socket: Socket): void {
    const peer = createPeer({
      send: (line) => {
        if (socket.writableLength > largestBacklog) socket.destroy()
        else socket.write(line)
      },
      methods: new Map(),
      onBreach: () => socket.destroy(),
      onDefect: () => '',
    })
    this.#open.get(endpointId)?.socket.destroy()
    this.#open.set(endpointId, { socket, peer })
    socket.on('data', (bytes) => peer.receive(bytes))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      peer.close()
      if (this.#open.get(endpointId)?.socket !== socket) return
      this.#open.delete(endpointId)
      this.#onClosed(endpointId)
    })
  }
}

function whyNoSocket(path: string): string | null {
  // A pipe of Windows has no entry to look at.
  if (process.platform === 'win32') return null
  try {
    return statSync(path).isSocket() ? null : 'The path does not lead to a socket.'
  } catch (error) {
    return `The socket cannot be reached (${codeOf(error)}).`
  }
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    const fail = (error: Error): void => {
      clearTimeout(limit)
      socket.destroy()
      reject(error)
    }
    const limit = setTimeout(() => fail(Object.assign(new Error('late'), { code: 'ETIMEDOUT' })), connectLimitMs)
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(limit)
      socket.off('error', fail)
      resolve(socket)
    })
  })
}
