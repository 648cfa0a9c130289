// The thread that `hashing.ts` starts, whose messages are described there: is shown pieces, says of each in order that it is through
// with it, and sends a digest when it is asked for one. JavaScript as it stands, since a TypeScript loader in a clone does not reach
// into threads, and would be larger than all that this one needs.
import { createHash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'

const hashes = new Map()

parentPort.on('message', ({ kind, id, algorithm, memory, from, length }) => {
  const hash = hashes.get(id)
  if (kind === 'begin') hashes.set(id, createHash(algorithm))
  else if (kind === 'piece') {
    hash?.update(Buffer.from(memory, from, length))
    parentPort.postMessage({ kind: 'seen' })
  } else {
    hashes.delete(id)
    if (kind === 'digest') parentPort.postMessage({ kind: 'digest', id, digest: hash.digest() })
  }
})
