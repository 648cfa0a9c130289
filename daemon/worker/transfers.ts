// The transfers of this process: starts and stops them, and is their one clock. A transfer is one attempt; whether
// there will be another is the broker's decision.
import type { TransferOrder } from '../link/messages.ts'
import type { OwnerRules } from '../link/policy-rules.ts'
import { Connections } from './http/connections.ts'
import { Download, type Report } from './download.ts'
import { Folders } from './files/folders.ts'
import { Hashing } from './hash/hashing.ts'
import { rulesOfOwner, underRules } from './owner-rules.ts'

const tickMs = 250

export class Transfers {
  readonly folders = new Folders()
  readonly #connections = new Connections()
  readonly #hashing = new Hashing()
  readonly #report: Report
  readonly #running = new Map<number, { readonly download: Download; readonly ended: Promise<void> }>()
  #clock: NodeJS.Timeout | null = null
  #rules: OwnerRules | null = null

  constructor(report: Report) {
    this.#report = report
  }

  /** PEM texts of authorities to be trusted besides the usual ones. */
  trust(certificateAuthorities: readonly string[]): void {
    this.#connections.trust(certificateAuthorities)
  }

  /** The tables of the policy; which one is for this owner, his groups tell. */
  obey(policies: readonly OwnerRules[]): void {
    this.#rules = rulesOfOwner(policies)
  }

  start(order: TransferOrder): void {
    const download = new Download(underRules(order, this.#rules), {
      connections: this.#connections, folders: this.folders, hashing: this.#hashing, report: this.#report,
    })
    const ended = download.run().finally(() => {
      this.#running.delete(order.transferId)
    })
    this.#running.set(order.transferId, { download, ended })
    this.#clock ??= setInterval(() => this.#tick(), tickMs)
  }

  /** A transfer that is not there has ended and said so. */
  stop(transferId: number): void {
    this.#running.get(transferId)?.download.stop()
  }

  /** Stops every transfer and waits until what they have is flushed. */
  async close(): Promise<void> {
    const running = [...this.#running.values()]
    for (const { download } of running) download.stop()
    await Promise.all(running.map(({ ended }) => ended))
    this.#connections.close()
    this.#stopClock()
  }

  #tick(): void {
    const now = performance.now()
    for (const { download } of this.#running.values()) download.tick(now)
    if (this.#running.size === 0) this.#stopClock()
  }

  #stopClock(): void {
    if (this.#clock) clearInterval(this.#clock)
    this.#clock = null
    // An idle worker keeps nobody from unmounting a disk.
    this.folders.close()
    this.#hashing.close()
  }
}
