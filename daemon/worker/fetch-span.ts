// From "these bytes are missing" to an answer whose body fits: requests, redirects hop by hop, the judgement of
// every head, and a second go where a kept connection was dead before the server had said a word.
import { failure } from '../../protocol/failures.ts'
import type { TransferOrder } from '../link/messages.ts'
import type { BodyWriter } from './body-writer.ts'
import type { Cancellation } from './cancellation.ts'
import { warnOfCompressedText } from './http/content-encoding.ts'
import type { Connection, Connections } from './http/connections.ts'
import { runExchange, type BodyPlan } from './http/exchange.ts'
import { raise, transportFailure } from './failure-from.ts'
import { isFailure, nextTarget, requestHeaders, type Target } from './http/request.ts'
import { ifRangeOf, judgeResponse, type AnswerHead, type Asked, type Judgement } from './http/response.ts'

const connectLimitMs = 30_000
const headLimitMs = 30_000
/** What a report may carry. */
const longestRemoteName = 8192

export type Body = Extract<Judgement, { kind: 'body' }>

/** What is known of the server besides the body. */
export interface Answered {
  /** Where redirects led, if the job wants to know. */
  readonly remoteName: string | null
  /** From the request to the head. */
  readonly answerMs: number
  /** It says that it serves ranges of this file (RFC 9110 §14.3). */
  readonly takesRanges: boolean
}

export interface Ask {
  readonly order: TransferOrder
  readonly target: Target
  readonly asked: Asked
  readonly cancellation: Cancellation
  /** The head is good. Gives what shall take the body. */
  readonly onBody: (body: Body, answered: Answered) => BodyWriter
  /** Something without a validator came in place of the rest of the file; it is a failure now, and taken if it comes again. */
  readonly onDoubt: () => void
  /** A wait of at most so many milliseconds begins. */
  readonly onLimit: (limitMs: number) => void
  readonly onBytes: () => void
}

export type Outcome = { readonly kind: 'received' } | { readonly kind: 'start-over'; readonly why: string }

export async function askFor(ask: Ask, connections: Connections): Promise<Outcome> {
  let { target } = ask
  for (let hops = 0; ; hops++) {
    const { origin } = target.url
    connections.requestBegan(origin)
    const judgement = await askOnce(ask, target, hops, connections).finally(() => connections.requestEnded(origin))
    if (judgement.kind === 'body') return { kind: 'received' }
    if (judgement.kind === 'start-over') return judgement
    if (judgement.kind === 'doubtful') {
      ask.onDoubt()
      raise(failure('invalid-server-response', 'The server sent something without a validator in place of the rest of the file.'))
    }
    if (judgement.kind === 'failure') raise(judgement.failure)
    const next = nextTarget(target, judgement, hops, ask.order.http)
    if (isFailure(next)) raise(next)
    target = next
  }
}

async function askOnce(ask: Ask, target: Target, hops: number, connections: Connections): Promise<Judgement> {
  for (;;) {
    let connection: Connection | null = null
    try {
      ask.onLimit(connectLimitMs)
      connection = connections.takeKept(target.url.origin) ?? await connections.open(target.url, ask.cancellation)
      ask.onLimit(headLimitMs)
      return await askOver(connection, ask, target, hops, connections)
    } catch (error) {
      ask.cancellation.throwIfCancelled()
      const wasDead = connection !== null && connection.answers > 0 && !connection.wire.head.hasAnswered
      if (!wasDead) raise(transportFailure(error, target.url.host))
    }
  }
}

async function askOver(connection: Connection, ask: Ask, target: Target, hops: number, connections: Connections): Promise<Judgement> {
  const { asked, order } = ask
  let judgement: Judgement | null = null
  const askedAt = performance.now()
  const onHead = (head: AnswerHead): BodyPlan => {
    judgement = judgeResponse(asked, head, Date.now())
    if (judgement.kind !== 'body') return { sink: null, length: announcedLength(head) }
    warnOfCompressedText(head.headers, target.url.host)
    const reached = `${target.url.origin}${target.path}`
    const isToldOf = order.http.redirects === 'allow-report' && hops > 0 && reached.length <= longestRemoteName
    const answered = {
      remoteName: isToldOf ? reached : null,
      answerMs: performance.now() - askedAt,
      takesRanges: head.status === 206 || head.headers['accept-ranges'] === 'bytes',
    }
    return { sink: ask.onBody(judgement, answered), length: judgement.length }
  }
  const range = asked.ranged ? `${asked.from}-${asked.to === null ? '' : asked.to - 1}` : null
  const mayKeep = await runExchange({
    connection,
    method: target.method,
    path: target.path,
    headers: requestHeaders(target, range, asked.known ? ifRangeOf(asked.known.validator) : null),
    onHead,
    onBytes: ask.onBytes,
    cancellation: ask.cancellation,
  })
  if (mayKeep) connections.keep(connection)
  else connection.close()
  return judgement ?? raise(transportFailure(null, target.url.host))
}

function announcedLength(head: AnswerHead): number | null {
  const length = head.headers['content-length']
  return typeof length === 'string' && /^\d{1,15}$/.test(length) ? Number(length) : null
}
