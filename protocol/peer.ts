// A JSON-RPC 2.0 peer over any stream of bytes, both sides calling: the one place that wires the package.
// It guards the package against what it gets wrong (null, batches of one, arrays of nothing, leaked messages
// and code 0), starts calls in the order in which they came, and never throws at the one who feeds it.
import { createJSONRPCErrorResponse, JSONRPCClient, JSONRPCErrorException, JSONRPCServer } from 'json-rpc-2.0'
import type { JSONRPCErrorResponse, JSONRPCRequest, JSONRPCResponse } from 'json-rpc-2.0'
import { isTooDeep, LineReader, maximumDepth, maximumLineBytes, type Framed } from './framing.ts'
import { Refusal, refusals, type RefusalKind } from './refusals.ts'
import { alwaysLightCharacters, refusalOfHeavy } from './weight.ts'

/** May give a `JsonText`. */
export type Method = (params: unknown) => unknown

/** A result that was made into JSON before: its pieces, one after the other, go into the answer as they are. */
export class JsonText {
  readonly pieces: readonly string[]

  constructor(pieces: readonly string[]) {
    this.pieces = pieces
  }
}

/** What the answers of a batch may hold in all. */
export const batchAnswerCharacters = 8 * 1024 * 1024

export interface PeerOptions {
  /** Writes one line; the line end is in it. */
  readonly send: (line: string) => void
  /** What the other side may call. */
  readonly methods: ReadonlyMap<string, Method>
  /** The other side broke the protocol in a way that ends the connection; the answer was sent before. */
  readonly onBreach: (kind: RefusalKind) => void
  /** A method threw something that is no refusal: log it, give back the incident number that the caller is told. */
  readonly onDefect: (error: unknown, method: string) => string
  /** The other side sent what is no message, or called what there is not; the answer said so. */
  readonly onRefused?: (kind: RefusalKind) => void
  /** An answer could not be made or sent: the connection is to end. Without it, it is a defect like any other. */
  readonly onBroken?: (error: unknown) => void
  /** Called when a call of `method` has begun or ended, with the number of calls that are under way now. */
  readonly onLoad?: (callsUnderWay: number, method: string) => void
  /** The longest line taken, in bytes; 1 MiB unless told. */
  readonly maximumLineBytes?: number
  /** The deepest nesting taken in an answer to a call; 64, as in everything else, unless told. */
  readonly maximumAnswerDepth?: number
  /** The other side is not trusted: lines are weighed before they are parsed. */
  readonly isWary?: boolean
}

export interface Peer {
  /** What is kept of lines and batches that are not whole, in characters. */
  readonly held: number
  receive(bytes: Uint8Array): void
  /** Rejects with a `Refusal`: what the other side answered, or `timeout`, or `connection-closed`. */
  request(method: string, params: unknown, options?: { readonly timeoutMs?: number }): Promise<unknown>
  notify(method: string, params: unknown): void
  /** Refuses what is pending and whatever comes later. */
  close(): void
}

export function createPeer(options: PeerOptions): Peer {
  const reader = new LineReader(options.maximumLineBytes ?? maximumLineBytes)
  const pending = new Set<number>()
  let nextId = 1
  let closed = false
  let underWay = 0
  let heldAnswers = 0

  const write = (message: unknown): void => {
    if (!closed) options.send(textOf(message, '\n'))
  }
  const refuse = (id: Id, kind: RefusalKind, sentence?: string, details: Readonly<Record<string, unknown>> = {}): JSONRPCErrorResponse => {
    options.onRefused?.(kind)
    return errorResponse(id, new Refusal(kind, details, sentence))
  }
  /** An answer that cannot be made or sent concerns this connection and nobody else. */
  const settle = (answered: Promise<void>): void => void answered.catch(options.onBroken)
  const server = new JSONRPCServer({ errorListener: () => {} })
  for (const [name, method] of options.methods) server.addMethod(name, method)
  server.mapErrorToJSONRPCErrorResponse = (id, error) => errorResponse(id, error instanceof Refusal ? error : new Refusal('internal-error'))
  server.handleMethodNotFound = async ({ id }) => {
    const answer = refuse(id ?? null, 'method-not-found')
    return id === undefined ? null : answer
  }
  const client = new JSONRPCClient(async (message) => write(message), () => nextId++)

  const runMethod = async (request: JSONRPCRequest): Promise<JSONRPCResponse | null> => {
    options.onLoad?.(++underWay, request.method)
    try {
      return await server.receive(request)
    } finally {
      options.onLoad?.(--underWay, request.method)
    }
  }

  const accept = (message: unknown): Promise<JSONRPCResponse | null> | null => {
    if (isResponse(message)) {
      if (typeof message.id === 'number' && pending.delete(message.id)) client.receive(message)
      return null
    }
    if (isRequest(message)) return runMethod(message)
    return Promise.resolve(refuse(idOf(message), 'invalid-request'))
  }

  const acceptBatch = (messages: readonly unknown[]): void => {
    if (messages.length < 1 || messages.length > 100) return write(refuse(null, 'invalid-request', 'A batch holds 1 to 100 messages.'))
    // Each answer becomes text when it comes, and is counted: a batch must not hold a hundred long lists.
    let characters = 0
    const texts = messages.map(accept).map(async (answering) => {
      const answer = await answering
      if (answer === null) return null
      const text = textOf(answer, '')
      characters += text.length
      if (characters <= batchAnswerCharacters) {
        heldAnswers += text.length
        return text
      }
      characters -= text.length
      return textOf(refuse(answer.id, 'reply-too-large', undefined, { bytes: text.length }), '')
    })
    settle(Promise.all(texts).then((all) => {
      heldAnswers -= characters
      const given = all.filter((text) => text !== null)
      if (given.length > 0 && !closed) options.send(`[${given.join(',')}]\n`)
    }))
  }

  const acceptLine = (text: string): void => {
    const tooMuch = options.isWary === true && text.length > alwaysLightCharacters ? refusalOfHeavy(text) : null
    if (tooMuch) {
      options.onRefused?.(tooMuch.refusal.kind as RefusalKind)
      return write(errorResponse(tooMuch.id, tooMuch.refusal))
    }
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch {
      // Not JSON: that is all there is to say about it.
      return write(refuse(null, 'parse-error'))
    }
    if (isTooDeep(text, (isResponse(message) ? options.maximumAnswerDepth : undefined) ?? maximumDepth)) return write(refuse(idOf(message), 'message-too-deep'))
    if (Array.isArray(message)) return acceptBatch(message)
    const answering = accept(message)
    if (answering) settle(answering.then((answer) => {
      if (answer !== null) write(answer)
    }))
  }

  const acceptFramed = (framed: Framed): void => {
    if (closed) return
    if (framed.kind === 'line') return acceptLine(framed.text)
    if (framed.kind === 'not-utf8') return write(refuse(null, 'parse-error'))
    write(refuse(null, 'message-too-large'))
    options.onBreach('message-too-large')
  }

  for (const name of options.methods.keys()) wrapDefects(server, name, options)

  return {
    get held() { return reader.held + heldAnswers },
    receive(bytes) {
      if (closed) return
      try {
        reader.push(bytes, acceptFramed)
      } catch (error) {
        if (!options.onBroken) throw error
        options.onBroken(error)
      }
    },
    async request(method, params, { timeoutMs } = {}) {
      if (closed) throw new Refusal('connection-closed')
      const id = nextId
      const caller = timeoutMs === undefined ? client : client.timeout(timeoutMs, (late) => localError(late, 'timeout'))
      pending.add(id)
      try {
        return await caller.request(method, params)
      } catch (error) {
        throw error instanceof JSONRPCErrorException ? Refusal.from(error.toObject()) : new Refusal('internal-error')
      } finally {
        pending.delete(id)
      }
    },
    notify(method, params) {
      write({ jsonrpc: '2.0', method, params })
    },
    close() {
      if (closed) return
      closed = true
      for (const id of pending) client.receive(localError(id, 'connection-closed'))
      pending.clear()
    },
  }
}

/** A thrown thing that is no refusal becomes one with an incident number, before the package can leak its message. */
function wrapDefects(server: JSONRPCServer, name: string, options: PeerOptions): void {
  const method = options.methods.get(name)
  if (!method) return
  const translate = (error: unknown): never => {
    if (error instanceof Refusal) throw error
    throw new Refusal('internal-error', { incident: options.onDefect(error, name) })
  }
  server.addMethod(name, (params: unknown) => {
    try {
      const result = method(params)
      return result instanceof Promise ? result.catch(translate) : result
    } catch (error) {
      return translate(error)
    }
  })
}

type Id = string | number | null

function errorResponse(id: Id, refusal: Refusal): JSONRPCErrorResponse {
  return createJSONRPCErrorResponse(id, refusal.code, refusal.message, refusal.data)
}

function localError(id: Id, kind: RefusalKind): JSONRPCErrorResponse {
  return createJSONRPCErrorResponse(id, refusals[kind].code, refusals[kind].sentence, { kind })
}

/** Put together at once: a long text is copied for each time that something is added to it. */
function textOf(message: unknown, end: string): string {
  if (!isRecord(message) || !(message['result'] instanceof JsonText)) return `${JSON.stringify(message)}${end}`
  return [`{"jsonrpc":"2.0","id":${JSON.stringify(message['id'])},"result":`, ...message['result'].pieces, `}${end}`].join('')
}

function isRecord(message: unknown): message is Record<string, unknown> {
  return typeof message === 'object' && message !== null && !Array.isArray(message)
}

function isId(id: unknown): id is Id {
  return id === null || typeof id === 'string' || typeof id === 'number'
}

function idOf(message: unknown): Id {
  return isRecord(message) && isId(message['id']) ? message['id'] : null
}

function isRequest(message: unknown): message is JSONRPCRequest {
  return isRecord(message) && message['jsonrpc'] === '2.0' && typeof message['method'] === 'string'
    && message['result'] === undefined && message['error'] === undefined
    && (message['id'] === undefined || isId(message['id']))
    && (message['params'] === undefined || (typeof message['params'] === 'object' && message['params'] !== null))
}

function isResponse(message: unknown): message is JSONRPCResponse {
  return isRecord(message) && message['jsonrpc'] === '2.0' && message['method'] === undefined && isId(message['id'])
    && (message['result'] !== undefined || (isRecord(message['error']) && typeof message['error']['code'] === 'number' && typeof message['error']['message'] === 'string'))
}
