// A real worker process at the other end of a link, for tests that play the broker.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { LocalFile, Orders, ReportName, Reports, TransferOrder } from '../../link/messages.ts'
import { reports } from '../../link/messages.ts'
import { createPeer } from '../../../protocol/peer.ts'

export type Reported = { [Name in ReportName]: { readonly name: Name; readonly params: Reports[Name] } }[ReportName]

export interface TestWorker {
  readonly pid: number
  order<Name extends keyof Orders>(name: Name, params: Orders[Name]['params']): Promise<Orders[Name]['result']>
  readonly seen: readonly Reported[]
  /** The first report, past or to come, that fits. */
  until(fits: (reported: Reported) => boolean): Promise<Reported>
  /** Starts the transfer and gives its last report. */
  transfer(order: TransferOrder): Promise<Reported>
  closeLink(): void
  readonly exit: Promise<number | null>
  close(): Promise<void>
}

const lastReports: ReadonlySet<ReportName> = new Set(['transfer.done', 'transfer.failed', 'transfer.stopped'])

export async function startWorker(options: { readonly certificateAuthorities?: readonly string[] } = {}): Promise<TestWorker> {
  const program = fileURLToPath(new URL('../../worker-main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', program], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] })
  const link = child.stdio[3] as Duplex
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  const seen: Reported[] = []
  const waiting = new Set<(reported: Reported) => void>()
  const take = <Name extends ReportName>(name: Name) => (params: unknown): null => {
    // Every report must hold against the broker's schema.
    const reported = { name, params: reports[name].parse(params) } as Reported
    seen.push(reported)
    for (const look of [...waiting]) look(reported)
    return null
  }
  const peer = createPeer({
    send: (line) => void link.write(line),
    methods: new Map((Object.keys(reports) as ReportName[]).map((name) => [name, take(name)])),
    onBreach: (kind) => link.destroy(new Error(kind)),
    onDefect: (error) => {
      link.destroy(error as Error)
      return 'test'
    },
  })
  link.on('data', (bytes: Buffer) => peer.receive(bytes))
  link.on('error', () => link.destroy())
  link.on('close', () => peer.close())

  const until = (fits: (reported: Reported) => boolean): Promise<Reported> => new Promise((resolve, reject) => {
    const past = seen.find(fits)
    if (past) return resolve(past)
    const look = (reported: Reported): void => {
      if (!fits(reported)) return
      waiting.delete(look)
      resolve(reported)
    }
    waiting.add(look)
    void exit.then((code) => reject(new Error(`the worker ended with ${code}`)))
  })
  const order: TestWorker['order'] = async (name, params) => await peer.request(name, params) as never
  await until(({ name }) => name === 'worker.ready')
  if (options.certificateAuthorities) await order('worker.configure', { certificateAuthorities: options.certificateAuthorities, logLevel: 'info' })

  return {
    pid: child.pid ?? 0,
    seen,
    order,
    until,
    exit,
    transfer: async (params) => {
      await order('transfer.start', params)
      return until(({ name, params: told }) => lastReports.has(name) && 'transferId' in told && told.transferId === params.transferId)
    },
    closeLink: () => void link.destroy(),
    close: async () => {
      link.destroy()
      await exit
    },
  }
}

let nextTransferId = 1

export function orderFor(remoteName: string, file: LocalFile, more: Partial<TransferOrder> = {}): TransferOrder {
  return {
    ...file,
    transferId: nextTransferId++,
    remoteName,
    checksum: null,
    ranges: null,
    http: { method: 'GET', headers: {}, redirects: 'allow', redirectToHttp: false },
    maximumBytes: null,
    connections: null,
    ...more,
  }
}
