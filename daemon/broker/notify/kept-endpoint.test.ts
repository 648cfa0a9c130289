import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeptEndpoint, type Dialled } from './kept-endpoint.ts'

/** A program that is there or is not, as the test says. */
class Served {
  isThere = true
  dialled = 0
  called = 0
  #onLost: () => void = () => {}

  readonly dial = async (onLost: () => void): Promise<Dialled> => {
    this.dialled++
    await Promise.resolve()
    if (!this.isThere) throw new Error('nobody listens')
    this.#onLost = onLost
    return { call: () => { this.called++; return Promise.resolve(this.isThere) }, close: () => {} }
  }

  goAway(): void {
    this.isThere = false
    this.#onLost()
  }
}

const call = (endpoint: KeptEndpoint): Promise<boolean> => endpoint.call('callback.jobTransferred', {}, 1000)

test('a socket that is away for one call is dialled anew for the next', async () => {
  const served = new Served()
  const endpoint = await KeptEndpoint.open({ dial: served.dial, onGivenUp: () => assert.fail('it was given up') })
  assert.equal(await call(endpoint), true)
  served.goAway()
  assert.equal(await call(endpoint), false)
  served.isThere = true
  assert.equal(await call(endpoint), true)
  assert.deepEqual([endpoint.isEnded, served.called, served.dialled], [false, 2, 3])
  endpoint.close()
})

test('calls that come while it is dialled share the connection', async () => {
  const served = new Served()
  const endpoint = await KeptEndpoint.open({ dial: served.dial, onGivenUp: () => {} })
  served.goAway()
  served.isThere = true
  assert.deepEqual(await Promise.all([call(endpoint), call(endpoint), call(endpoint)]), [true, true, true])
  assert.equal(served.dialled, 2)
  endpoint.close()
})

test('one that comes back while nobody is called is connected again, and one that stays away ends, with the reason', async () => {
  const served = new Served()
  let giveUp: (why: unknown) => void = () => {}
  const givenUp = new Promise<unknown>((resolve) => { giveUp = resolve })
  const endpoint = await KeptEndpoint.open({ dial: served.dial, onGivenUp: giveUp, keptForMs: 400, firstDelayMs: 5 })
  let ended = 0
  endpoint.onEnded(() => { ended++ })
  const awake = setInterval(() => {}, 1000)
  served.goAway()
  served.isThere = true
  while (served.dialled < 2) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(await call(endpoint), true)
  assert.equal(endpoint.isEnded, false)

  served.goAway()
  assert.match(String(await givenUp), /nobody listens/)
  clearInterval(awake)
  await Promise.resolve()
  assert.deepEqual([endpoint.isEnded, ended, await call(endpoint)], [true, 1, false])
  assert.ok(served.dialled > 4)
})

test('one that was never there is refused', async () => {
  const served = new Served()
  served.isThere = false
  await assert.rejects(KeptEndpoint.open({ dial: served.dial, onGivenUp: () => {} }), /nobody listens/)
})
