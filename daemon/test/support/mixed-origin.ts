// An origin for mixed sessions: small and large files, one paced so that it takes a while, one that is another version at each
// other request, one whose connection breaks now and then.
import { createHash } from 'node:crypto'
import { startOrigin, type Origin } from './origin.ts'
import type { Bodies } from './judge.ts'

export interface MixedOrigin {
  readonly origin: Origin
  readonly paths: readonly string[]
  readonly bodies: Bodies
}

export async function startMixedOrigin(): Promise<MixedOrigin> {
  const origin = await startOrigin()
  const bodies = new Map<string, readonly Buffer[]>()
  const add = (name: string, ...versions: Buffer[]): readonly Buffer[] => {
    bodies.set(name, versions)
    return versions
  }
  const [small] = add('small', bytes(3000, 'small'))
  const [large] = add('large', bytes(3_000_000, 'large'))
  const [slow] = add('slow', bytes(600_000, 'slow'))
  const [broken] = add('broken', bytes(900_000, 'broken'))
  const versions = add('changing', bytes(500_000, 'one'), bytes(500_000, 'two'))
  const [nothing] = add('nothing', Buffer.alloc(0))
  origin.route('/small', { body: small ?? Buffer.alloc(0) })
  origin.route('/large', { body: large ?? Buffer.alloc(0) })
  origin.route('/nothing', { body: nothing ?? Buffer.alloc(0) })
  origin.route('/slow', { body: slow ?? Buffer.alloc(0), pace: { bytes: 20_000, everyMs: 20 } })
  origin.route('/broken', ({ count }) => ({ body: broken ?? Buffer.alloc(0), pace: { bytes: 50_000, everyMs: 5 }, ...(count % 3 === 0 ? { cutAfter: 400_000 } : {}) }))
  origin.route('/changing', ({ count }) => ({ body: versions[count % 2] ?? Buffer.alloc(0), pace: { bytes: 20_000, everyMs: 10 } }))
  return { origin, bodies, paths: [...bodies.keys()].map((name) => `/${name}`) }
}

/** Bytes that repeat nowhere, so that a part in the wrong place shows. */
function bytes(length: number, name: string): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 64) }, (_, at) => createHash('sha512').update(`${name} ${at}`).digest())
  return Buffer.concat(blocks).subarray(0, length)
}
