// What an owner could make of the process that runs as him: it takes the link like a worker and then does what the last part of the
// remote name says, a trick of the table below. It never touches a file.
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'

interface Order { readonly id?: number; readonly method?: string; readonly params?: { readonly transferId?: number; readonly remoteName?: string; readonly files?: readonly { readonly localName: string }[] } }

const link = new Socket({ fd: 3 })
const send = (text: string): void => void link.write(text)
const report = (method: string, params: unknown): void => send(`${JSON.stringify({ jsonrpc: '2.0', method, params })}\n`)
const resumePoint = { inode: '1:1', bytesTotal: 1, durable: [[0, 1]], validator: null, modifiedAt: null }

const honest = (transferId: number): void => {
  report('transfer.connected', { transferId, resumePoint: { ...resumePoint, durable: [] }, remoteName: null })
  report('transfer.done', { transferId, resumePoint })
}

/** What it answers about files that are called so; about others, that all went well. */
const answers: Readonly<Record<string, unknown>> = { 'answers-nonsense': { failures: 'none' }, 'answers-null': null, 'answers-too-few': { failures: [] } }

const tricks: Readonly<Record<string, (transferId: number) => void>> = {
  'honest': honest,
  'honest-later': (transferId) => void setTimeout(honest, 1000, transferId),
  'exits': () => process.exit(0),
  'unknown-method': () => report('broker.stop', {}),
  'asks-unknown': () => send('{"jsonrpc":"2.0","id":1,"method":"job.list","params":{"owner":"all"}}\n'),
  'not-json': () => send('hello\n'),
  'not-utf8': () => void link.write(Buffer.from([0xff, 0xfe, 0x0a])),
  'null': () => send('null\n'),
  'empty-batch': () => send('[]\n'),
  'too-deep': () => send(`${'['.repeat(100_000)}\n`),
  'huge-line': () => send('x'.repeat(3 * 1024 * 1024)),
  'ready-again': () => report('worker.ready', { uid: 0, pid: 1 }),
  'other-transfer': (transferId) => report('transfer.done', { transferId: transferId + 1, resumePoint }),
  'earlier-transfer': (transferId) => report('transfer.failed', { transferId: Math.max(1, transferId - 1), failure: { code: 'disk-full', message: '', httpStatus: null, retryAfterMs: null }, resumePoint: null }),
  'wrong-phase': (transferId) => report('transfer.checkpoint', { transferId, resumePoint }),
  'done-twice': (transferId) => {
    report('transfer.progress', { transferId, bytesTransferred: 1 })
    report('transfer.progress', { transferId, bytesTransferred: 1 })
  },
  'wrong-shape': (transferId) => report('transfer.connected', { transferId, resumePoint: 'none', remoteName: null }),
  'more-members': (transferId) => send(`{"jsonrpc":"2.0","method":"transfer.done","params":{"transferId":${transferId},"owner":{"id":"0"},"__proto__":{"uid":0},"resumePoint":null}}\n`),
  'unknown-failure': (transferId) => report('transfer.failed', { transferId, failure: { code: 'whatever', message: '', httpStatus: null, retryAfterMs: null }, resumePoint: null }),
  'floods': (transferId) => {
    report('transfer.connected', { transferId, resumePoint: { ...resumePoint, bytesTotal: 1e12, durable: [] }, remoteName: null })
    flood(`${JSON.stringify({ jsonrpc: '2.0', method: 'transfer.progress', params: { transferId, bytesTransferred: 5 } })}\n`.repeat(5000))
  },
  'floods-checkpoints': (transferId) => {
    report('transfer.connected', { transferId, resumePoint: { ...resumePoint, bytesTotal: 1e12, durable: [] }, remoteName: null })
    const durable = Array.from({ length: 250 }, (_, at) => [at * 10, at * 10 + 5])
    flood(`${JSON.stringify({ jsonrpc: '2.0', method: 'transfer.checkpoint', params: { transferId, resumePoint: { ...resumePoint, durable } } })}\n`.repeat(100))
  },
  'logs': (transferId) => {
    honest(transferId)
    // Writes to a pipe wait; it gets to nothing else any more.
    setImmediate(() => { for (;;) process.stderr.write('x\n'.repeat(100_000)) })
  },
  'says-nothing': () => {},
  'never-reads': () => void link.pause(),
  'answers-nonsense': honest,
  'answers-null': honest,
  'answers-too-few': honest,
}

/** Never ends, and takes what the other side lets it have. */
function flood(text: string): void {
  const more = (): void => { while (link.write(text)) continue }
  link.on('drain', more)
  more()
}

createInterface({ input: link }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line) as Order
  if (method === 'transfer.start') tricks[params?.remoteName?.split('/').at(-1) ?? '']?.(params?.transferId ?? 0)
  if (id === undefined) return
  const name = params?.files?.[0]?.localName.split('/').at(-1) ?? ''
  const result = method === 'files.publish' && name in answers ? answers[name] : { failures: params?.files?.map(() => null) ?? [] }
  send(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`)
})
link.on('error', () => process.exit(1)).on('close', () => process.exit(0))
report('worker.ready', { uid: process.getuid?.() ?? -1, pid: process.pid })
