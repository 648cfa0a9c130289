// Whoever takes a body may ask for a pause, and gets it whichever way the body comes; what goes wrong meanwhile ends the exchange.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { startOrigin, type Origin, type Script } from '../../test/support/origin.ts'
import { Cancellation } from '../cancellation.ts'
import { Connections } from './connections.ts'
import { runExchange, type Sink } from './exchange.ts'

const body = randomBytes(16 * 1024 * 1024)
/** In which unhindered bytes would come in great number. */
const turns = 500
const connections = new Connections()
let origin: Origin

before(async () => {
  origin = await startOrigin()
})
after(async () => {
  connections.close()
  await origin.close()
})

/** Has enough when it has `enough` bytes, until it is told to go on. */
class Slow implements Sink {
  readonly mayDrain = false
  readonly #room = Buffer.alloc(64 * 1024)
  readonly #enough: number
  readonly #more: Promise<void>
  goOn: () => void = () => assert.fail('nobody waits')
  fail: (error: Error) => void = () => assert.fail('nobody waits')
  received = 0
  readonly pieces: Buffer[] = []
  #mayGoOn = false

  constructor(enough: number) {
    this.#enough = enough
    this.#more = new Promise((resolve, reject) => {
      this.goOn = () => {
        this.#mayGoOn = true
        resolve()
      }
      this.fail = reject
    })
  }

  get hasEnough(): boolean {
    return this.received >= this.#enough && !this.#mayGoOn
  }

  get behind(): Promise<void> | null {
    return this.hasEnough ? this.#more : null
  }

  room(): Buffer {
    return this.#room
  }

  filled(count: number): void {
    this.take(this.#room.subarray(0, count))
  }

  take(bytes: Uint8Array): void {
    this.received += bytes.length
    this.pieces.push(Buffer.from(bytes))
  }

  drain(): number {
    return 0
  }
}

async function fetchInto(sink: Sink, path: string): Promise<boolean> {
  const connection = await connections.open(new URL(origin.url(path)), new Cancellation())
  return await runExchange({
    connection, method: 'GET', path, headers: [], cancellation: new Cancellation(), onBytes: () => {},
    onHead: ({ headers }) => ({ sink, length: headers['content-length'] === undefined ? null : body.length }),
  }).finally(() => connection.close())
}

async function waitUntilEnough(sink: Slow): Promise<void> {
  while (!sink.hasEnough) await nextTurn()
  const { received } = sink
  for (let turn = 0; turn < turns; turn++) await nextTurn()
  assert.equal(sink.received, received)
}

const ways: Readonly<Record<string, Script>> = {
  'straight from the socket': { body },
  'through the client': { body, headers: { 'Content-Length-Too': '1' } },
  'of unknown length': { body, framing: 'chunked' },
}
for (const [way, script] of Object.entries(ways)) {
  test(`a body that comes ${way} waits for who has enough`, async () => {
    const path = `/${way.replaceAll(' ', '-')}`
    origin.route(path, script)
    const sink = new Slow(1024 * 1024)
    const fetched = fetchInto(sink, path)
    await waitUntilEnough(sink)
    sink.goOn()
    await fetched
    assert.ok(Buffer.concat(sink.pieces).equals(body))
  })

  test(`what goes wrong while a body that comes ${way} waits ends the exchange`, async () => {
    const path = `/${way.replaceAll(' ', '-')}`
    origin.route(path, script)
    const sink = new Slow(1024 * 1024)
    const fetched = assert.rejects(fetchInto(sink, path), /no more room/)
    await waitUntilEnough(sink)
    sink.fail(new Error('no more room'))
    await fetched
  })
}
