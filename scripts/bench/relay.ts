// A far link in user space, as a process of its own: every connection to it is passed on to a target with a delay each way,
// what comes back at no more than a rate for all together and, where a window is given, no more than that much of one
// connection under way at once. Prints its port. Usage: relay.ts PORT ONE_WAY_MS MBIT_PER_SECOND [WINDOW_BYTES]
import net from 'node:net'

const [targetPort = 0, delayMs = 0, megabits = 1, windowBytes = Infinity] = process.argv.slice(2).map(Number)
const bytesPerMs = megabits * 1000 / 8
/** As on a wire: what is sent comes in segments and not in lumps. */
const segmentBytes = 1448
/** A connection that is ahead of the link is not read from. */
const heldBytes = 4 * 1024 * 1024

interface Lane {
  readonly client: net.Socket
  readonly server: net.Socket
  /** What came from the server, in order. */
  readonly waiting: Buffer[]
  held: number
  /** What is under way, by when it arrives. */
  readonly underWay: { readonly at: number; readonly bytes: Buffer }[]
  /** When what arrived will be known at the other end, so that the window opens again. */
  readonly unacknowledged: { readonly at: number; readonly count: number }[]
  inWindow: number
  isEnded: boolean
}

const lanes = new Set<Lane>()
let creditAt = performance.now()
let credit = 0
let isTurning = false

function turn(): void {
  const now = performance.now()
  credit = Math.min(credit + (now - creditAt) * bytesPerMs, bytesPerMs * 2)
  creditAt = now
  for (let sent = true; sent && credit > 0;) {
    sent = false
    for (const lane of lanes) if (credit > 0 && send(lane, now)) sent = true
  }
  for (const lane of lanes) arrive(lane, now)
  isTurning = [...lanes].some((lane) => lane.waiting.length > 0 || lane.underWay.length > 0 || lane.isEnded)
  if (isTurning) setImmediate(turn)
}

function send(lane: Lane, now: number): boolean {
  while ((lane.unacknowledged[0]?.at ?? Infinity) <= now) lane.inWindow -= lane.unacknowledged.shift()?.count ?? 0
  const first = lane.waiting[0]
  if (!first || lane.inWindow >= windowBytes || lane.client.writableLength > heldBytes) return false
  const bytes = first.subarray(0, segmentBytes)
  if (bytes.length === first.length) lane.waiting.shift()
  else lane.waiting[0] = first.subarray(bytes.length)
  credit -= bytes.length
  lane.held -= bytes.length
  lane.inWindow += bytes.length
  lane.underWay.push({ at: now + delayMs, bytes })
  lane.unacknowledged.push({ at: now + 2 * delayMs, count: bytes.length })
  if (lane.held < heldBytes / 2) lane.server.resume()
  return true
}

function arrive(lane: Lane, now: number): void {
  while ((lane.underWay[0]?.at ?? Infinity) <= now) lane.client.write(lane.underWay.shift()?.bytes ?? '')
  if (lane.isEnded && lane.waiting.length === 0 && lane.underWay.length === 0) {
    lane.client.end()
    lanes.delete(lane)
  }
}

function wake(): void {
  if (isTurning) return
  isTurning = true
  creditAt = performance.now()
  turn()
}

const listener = net.createServer({ noDelay: true }, (client) => {
  const server = net.connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
  const lane: Lane = { client, server, waiting: [], held: 0, underWay: [], unacknowledged: [], inWindow: 0, isEnded: false }
  lanes.add(lane)
  const drop = (): void => {
    lanes.delete(lane)
    client.destroy()
    server.destroy()
  }
  client.on('error', drop)
  server.on('error', drop)
  client.on('close', drop)
  client.on('data', (bytes) => void setTimeout(() => server.write(bytes), delayMs))
  server.on('data', (bytes) => {
    lane.waiting.push(bytes)
    lane.held += bytes.length
    if (lane.held > heldBytes) server.pause()
    wake()
  })
  server.on('end', () => {
    lane.isEnded = true
    wake()
  })
})
listener.listen(0, '127.0.0.1', () => {
  const address = listener.address()
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`)
})
