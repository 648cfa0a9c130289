// Kill -9 of the daemon or of a worker while the machine goes on: what was written is still there, and at most 1 MiB is fetched again,
// at a slow and at a middling rate, within the page cache and past it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, statfsSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Daemon, until } from './support/daemon.ts'

const mebibyte = 1024 * 1024
const daemon = await Daemon.start()
after(() => daemon.close())
/** Where a file says what was written to it: ext4, tmpfs, xfs, btrfs, overlayfs. */
const tells = [0xef53, 0x01021994, 0x58465342, 0x9123683e, 0x794c7630].includes(statfsSync(daemon.files).type)
const skip = tells ? false : 'the file system does not tell what was written'

/** Counts what it sent. The first answer comes at a rate, in pieces, and stops after `most` bytes; the next ones come at once. */
class Paced {
  sent = 0
  readonly asked: string[] = []
  readonly server = createServer(({ headers }, answer) => void this.#answer(headers.range, answer))
  readonly #body: Buffer
  readonly #rate: number
  readonly #most: number

  constructor(body: Buffer, rate: number, most: number) {
    this.#body = body
    this.#rate = rate
    this.#most = most
  }

  async #answer(range: string | undefined, answer: ServerResponse): Promise<void> {
    const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
    this.asked.push(range ?? 'whole')
    const { length } = this.#body
    answer.writeHead(range ? 206 : 200, { 'Content-Length': length - from, ETag: '"1"', ...range && { 'Content-Range': `bytes ${from}-${length - 1}/${length}` } })
    if (this.asked.length > 1) return void answer.end(this.#body.subarray(from))
    const piece = this.#rate * mebibyte / 64
    const begunAt = performance.now()
    for (; this.sent < this.#most && !answer.destroyed; this.sent += piece) {
      answer.write(this.#body.subarray(this.sent, this.sent + piece))
      await wait(Math.max(0, begunAt + (this.sent + piece) / (this.#rate * mebibyte) * 1000 - performance.now()))
    }
  }
}

for (const [rate, most] of [[1, 2.5], [8, 3], [8, 37]] as const) {
  for (const victim of ['daemon', 'worker'] as const) {
    test(`${victim} killed at ${most} MiB, which came at ${rate} MiB/s`, { skip }, async (t) => {
      const body = randomBytes((most + 4) * mebibyte)
      const origin = new Paced(body, rate, most * mebibyte)
      t.after(() => origin.server.close())
      await new Promise<void>((resolve) => origin.server.listen(0, '127.0.0.1', resolve))
      const { port } = origin.server.address() as AddressInfo
      const client = await daemon.client()
      const localName = join(daemon.files, `${rate}-${most}-${victim}`)
      const files = [{ remoteName: `http://127.0.0.1:${port}/file`, localName }]
      const { job } = await client.call('job.create', { displayName: victim, resume: true, files, options: { connections: 1 } })
      await until(() => origin.sent === most * mebibyte, 'the bytes')
      if (victim === 'worker') for (const pid of daemon.workers()) process.kill(pid, 'SIGKILL')
      else {
        await daemon.kill9()
        await daemon.start()
      }
      const next = await daemon.client()
      await next.call('job.wait', { jobId: job.id, states: ['transient-error', 'transferred'], timeoutSeconds: 30 })
      await next.call('job.resume', { jobId: job.id }).catch(() => {})
      const ended = await next.call('job.wait', { jobId: job.id, states: ['transferred', 'error'], timeoutSeconds: 30 })
      assert.equal(ended.job.state, 'transferred', JSON.stringify(ended.job.error))
      await next.call('job.complete', { jobId: job.id })
      assert.ok(readFileSync(localName).equals(body))
      const from = Number(/^bytes=(\d+)-$/.exec(origin.asked[1] ?? '')?.[1] ?? 0)
      assert.ok(most * mebibyte - from <= mebibyte, `it went on from ${from} of ${most * mebibyte}`)
    })
  }
}
