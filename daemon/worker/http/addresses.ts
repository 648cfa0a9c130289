// Which address of a host a connection is made to: "happy eyeballs", RFC 8305. The next address is tried when one has failed or is
// slow, and those before it go on: on a slow link every address may need longer than a fixed time, and giving each one up would
// never connect. The first that connects wins.
import { lookup } from 'node:dns'
import { isIP } from 'node:net'
import { Cancellation } from '../cancellation.ts'

/** RFC 8305 §5: the connection attempt delay. */
const attemptDelayMs = 250
/** Of a name that has very many, these are enough. */
const mostAddresses = 16
const wasSlower = new Error('another address was faster')

/** The addresses of a host, in the system's order with the families taking turns (RFC 8305 §4). Rejects with what the resolver says. */
export function addressesOf(host: string, cancellation: Cancellation): Promise<readonly string[]> {
  if (isIP(host) !== 0) return Promise.resolve([host])
  return new Promise((resolve, reject) => {
    if (cancellation.isCancelled) return reject(cancellation.reason)
    cancellation.onCancel(() => reject(cancellation.reason))
    lookup(host, { all: true, order: 'verbatim' }, (error, found) => {
      if (cancellation.isCancelled) return
      cancellation.onCancel(null)
      if (error) reject(error)
      else resolve(interleave(found).slice(0, mostAddresses))
    })
  })
}

/** Beginning with the family of the first. */
export function interleave(found: readonly { readonly address: string; readonly family: number }[]): string[] {
  const first = found.filter(({ family }) => family === found[0]?.family)
  const second = found.filter(({ family }) => family !== found[0]?.family)
  return first.flatMap((one, at) => [one, second[at]])
    .concat(second.slice(first.length))
    .flatMap((each) => each ? [each.address] : [])
}

export interface Race<T> {
  readonly addresses: readonly string[]
  /** Must reject once it is cancelled. */
  readonly attempt: (address: string, cancellation: Cancellation) => Promise<T>
  readonly cancellation: Cancellation
  readonly delayMs?: number
}

/** Rejects with the first failure where every address fails, or with why it was cancelled. */
export function firstToConnect<T>({ addresses, attempt, cancellation, delayMs = attemptDelayMs }: Race<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const underWay = new Set<Cancellation>()
    let next = 0
    let isOver = false
    let firstError: unknown = null
    let timer: NodeJS.Timeout | undefined
    const end = (why: unknown): void => {
      isOver = true
      clearTimeout(timer)
      cancellation.onCancel(null)
      for (const each of underWay) each.cancel(why)
    }
    const failed = (error: unknown): void => {
      firstError ??= error
      if (next < addresses.length) return start()
      if (underWay.size > 0) return
      end(error)
      reject(firstError)
    }
    const start = (): void => {
      clearTimeout(timer)
      const own = new Cancellation()
      underWay.add(own)
      attempt(addresses[next++] ?? '', own).then((made) => {
        underWay.delete(own)
        if (isOver) return
        end(wasSlower)
        resolve(made)
      }, (error: unknown) => {
        underWay.delete(own)
        if (!isOver) failed(error)
      })
      if (next < addresses.length) timer = setTimeout(start, delayMs)
    }
    if (cancellation.isCancelled) return reject(cancellation.reason)
    cancellation.onCancel(() => {
      end(cancellation.reason)
      reject(cancellation.reason)
    })
    start()
  })
}
