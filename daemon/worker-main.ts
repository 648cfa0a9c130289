// The worker process: runs as one owner, takes the link on descriptor 3, does what the broker orders and reports.
// When the link closes it flushes what it has, within a limit, and ends. It decides nothing: no retries, no order.
import { Socket } from 'node:net'
import { createPeer, type Method, type Peer } from '../protocol/peer.ts'
import type { Orders, ReportName, Reports } from './link/messages.ts'
import { OutgoingLines } from './link/outgoing-lines.ts'
import { Commands } from './worker/calls/command.ts'
import { Endpoints } from './worker/calls/endpoint.ts'
import { probeFiles, publishFiles, removeFiles } from './worker/files/finished-files.ts'
import { Transfers } from './worker/transfers.ts'

const linkDescriptor = 3
/** A list of files for one order may be long; the other side is our own broker. */
const longestLine = 16 * 1024 * 1024
const closeLimitMs = 4000

/** Serves until the link closes, then ends the process. */
export function main(): void {
  const link = new Socket({ fd: linkDescriptor, readable: true, writable: true })
  const outgoing = new OutgoingLines((text) => void link.write(text))
  const report = <Name extends ReportName>(name: Name, params: Reports[Name]): void => peer.notify(name, params)
  const transfers = new Transfers(report)
  const endpoints = new Endpoints((endpointId) => report('endpoint.closed', { endpointId }))
  const commands = new Commands()

  const orders: { readonly [Name in keyof Orders]: (params: Orders[Name]['params']) => Orders[Name]['result'] | Promise<Orders[Name]['result']> } = {
    'worker.configure': ({ certificateAuthorities, policies = [] }) => {
      transfers.trust(certificateAuthorities)
      transfers.obey(policies)
    },
    'transfer.start': (order) => transfers.start(order),
    'transfer.stop': ({ transferId }) => transfers.stop(transferId),
    'files.publish': async ({ files }) => {
      const copies = new Map<number, number>()
      const failures = await publishFiles(transfers.folders, files, (at, copy) => copies.set(at, copy))
      return copies.size === 0 ? { failures } : { failures, copies: files.map((_, at) => copies.get(at) ?? 0) }
    },
    'files.remove': async ({ files }) => ({ failures: await removeFiles(transfers.folders, files) }),
    'files.probe': ({ files }) => ({ failures: probeFiles(transfers.folders, files) }),
    'endpoint.open': (params) => endpoints.open(params),
    'endpoint.call': (params) => endpoints.call(params),
    'endpoint.close': ({ endpointId }) => endpoints.closeOne(endpointId),
    'command.run': (params) => commands.run(params),
    'command.end': ({ commandId }) => commands.end(commandId),
  }
  const peer: Peer = createPeer({
    send: (line) => outgoing.add(line),
    methods: new Map(Object.entries(orders as Record<string, Method>)),
    onBreach: () => link.destroy(),
    onDefect: (error) => {
      console.error(error)
      return 'worker'
    },
    maximumLineBytes: longestLine,
  })

  const end = async (): Promise<void> => {
    setTimeout(() => process.exit(0), closeLimitMs).unref()
    peer.close()
    endpoints.close()
    commands.close()
    await transfers.close()
    process.exit(0)
  }
  link.on('data', (bytes) => peer.receive(bytes))
  // The link breaks when the broker dies; its end is all we need to know.
  link.on('error', () => link.destroy())
  link.once('close', () => void end())
  report('worker.ready', { uid: process.getuid?.() ?? -1, pid: process.pid })
}

main()
