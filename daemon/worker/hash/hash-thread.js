// The thread that `hashing.ts` starts, whose messages are described there: is shown pieces in the order in which they were sent, counts
// them in memory that both sides share, and sends a digest when it is asked for one. JavaScript as it stands, since a
// TypeScript loader in a clone does not reach into threads, and would be larger than all that this one needs.
import { createHash } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'

const passed = new Int32Array(workerData)
const hashes = new Map()

parentPort.on('message', ({ kind, id, algorithm, memory, from, length }) => {
  const hash = hashes.get(id)
  if (kind === 'begin') hashes.set(id, createHash(algorithm))
  else if (kind === 'piece') {
    hash?.update(Buffer.from(memory, from, length))
    Atomics.add(passed, 0, 1)
    Atomics.notify(passed, 0)
  } else {
    hashes.delete(id)
    if (kind === 'digest') parentPort.postMessage({ id, digest: hash.digest() })
  }
})
