// A worker, a server and a folder of files, for tests of whole transfers.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LocalFile, ResumePoint, TransferOrder } from '../../link/messages.ts'
import { startOrigin, type Origin } from './origin.ts'
import { orderFor, startWorker, type Reported, type TestWorker } from './worker.ts'

export class Transfers {
  readonly folder: string
  readonly origin: Origin
  readonly #worker: TestWorker
  #files = 0

  private constructor(folder: string, origin: Origin, worker: TestWorker) {
    this.folder = folder
    this.origin = origin
    this.#worker = worker
  }

  /** `identity`: the server speaks TLS, and the worker trusts it. */
  static async open(identity?: { readonly key: string; readonly cert: string }): Promise<Transfers> {
    const worker = await startWorker(identity ? { certificateAuthorities: [identity.cert] } : {})
    return new Transfers(mkdtempSync(join(tmpdir(), 'backhaul-transfers-')), await startOrigin(identity), worker)
  }

  newFile(): LocalFile {
    this.#files += 1
    return { localName: join(this.folder, `file-${this.#files}`), temporaryName: `BH${this.#files}.tmp`, resumePoint: null }
  }

  bytesOf(file: LocalFile): Buffer {
    return readFileSync(join(this.folder, file.temporaryName))
  }

  /** Gives the last report. */
  run(path: string, file: LocalFile, more: Partial<TransferOrder> = {}): Promise<Reported> {
    return this.#worker.transfer(orderFor(this.origin.url(path), file, more))
  }

  async close(): Promise<void> {
    await this.#worker.close()
    await this.origin.close()
    rmSync(this.folder, { recursive: true })
  }
}

/** Of a transfer that failed. */
export function resumePointOf(last: Reported): ResumePoint {
  assert.equal(last.name, 'transfer.failed', JSON.stringify(last.params))
  return (last.params as Extract<Reported, { name: 'transfer.failed' }>['params']).resumePoint ?? assert.fail('there is no resume point')
}
