// One line, however nasty, takes little of the service's time and is answered with its id and some tens of issues.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Daemon, readProcess } from './support/daemon.ts'
import type { Answer } from './support/raw-client.ts'

const daemon = await Daemon.start({ environment: { BACKHAUL_LOG_LEVEL: 'warn' } })
after(() => daemon.close())

const lineBytes = 1024 * 1024
const ticksPerSecond = 100

/** Of user and system; what it spends while others use the machine does not count. */
function processorSeconds(): number {
  const after = readProcess(daemon.pid, 'stat').split(') ')[1]?.split(' ') ?? []
  return (Number(after[11]) + Number(after[12])) / ticksPerSecond
}

/** A line that is as full as it may be. */
function full(before: string, element: (at: number) => string, behind: string): string {
  const parts: string[] = []
  let length = before.length + behind.length
  for (let at = 0; ; at++) {
    const part = `${at > 0 ? ',' : ''}${element(at)}`
    if (length + part.length > lineBytes) return `${before}${parts.join('')}${behind}`
    parts.push(part)
    length += part.length
  }
}

const call = (method: string, params: string): string => `{"jsonrpc":"2.0","id":"it","method":"${method}","params":${params}}`
const filled = (method: string, before: string, element: (at: number) => string, behind: string): string => {
  const [start, end] = call(method, '|').split('|') as [string, string]
  return full(`${start}${before}`, element, `${behind}${end}`)
}
const file = '{"remoteName":"http://a/","localName":"/a","ranges":['
const job = '"displayName":"x"'
const nobody = '00000000-0000-4000-8000-000000000000'
const one = (): string => '1'

const nasty: readonly (readonly [string, string, readonly number[]])[] = [
  ['ranges that are numbers', filled('job.create', `{${job},"files":[${file}`, one, ']}]}'), [-32602, 1008]],
  ['jobIds', filled('callback.register', '{"jobIds":[', one, ']}'), [-32602]],
  ['jobIds of a watch', filled('events.watch', '{"jobIds":[', () => `"${nobody}"`, ']}'), [-32602]],
  ['require', filled('session.hello', '{"require":[', one, ']}'), [-32602]],
  ['arguments', filled('job.create', `{${job},"options":{"notify":{"command":{"program":"/a","args":[`, one, ']}}}}'), [-32602]],
  ['states', filled('job.list', '{"states":[', () => '"queued"', ']}'), [-32602]],
  // Whoever is exempt from the limits may have them.
  ['ranges, more than a file may have', filled('job.create', `{${job},"files":[${file}`, (at) => `{"offset":${at * 2},"length":1}`, ']}]}'), [1008, 0]],
  ['ranges that lack everything', filled('job.create', `{${job},"files":[`, () => `${file}${Array.from({ length: 500 }, () => '{}').join(',')}]}`, ']}'), [-32602]],
  ['headers', filled('job.create', `{${job},"options":{"http":{"headers":{`, (at) => `"a${at}":""`, '}}}}'), [-32602]],
  ['unknown names', filled('job.create', '{', (at) => `"a${at}":0`, `,${job}}`), [-32602]],
  ['files with unknown names', filled('job.create', `{${job},"files":[`, (at) => `{"a${at}":0}`, ']}'), [-32602, 1007]],
  ['a long text', filled('job.create', '{"displayName":"', () => 'x'.repeat(1000), '"}'), [-32602]],
  ['nesting', call('job.create', `${'['.repeat(500_000)}${']'.repeat(500_000)}`), [-32600]],
  ['nested members', call('job.create', `${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}`), [-32600]],
  ['a huge number', call('job.get', `{"jobId":${'9'.repeat(1_000_000)}}`), [-32602]],
  ['one name again and again', filled('job.get', '{', () => '"jobId":0', '}'), [-32602]],
  ['empty objects', filled('job.get', '{"jobId":[', () => '{}', ']}'), [-32602]],
]

test('no line takes long, and each is answered in few words with its id', async () => {
  const client = await daemon.client()
  for (const [what, line, codes] of nasty) {
    assert.ok(line.length <= lineBytes, what)
    const before = processorSeconds()
    const { id, error } = await client.exchange(line) as Answer
    const seconds = processorSeconds() - before
    assert.equal(id, 'it', what)
    assert.ok(codes.includes(error?.code ?? 0), `${what}: ${JSON.stringify(error)?.slice(0, 300)}`)
    assert.ok(JSON.stringify(error ?? null).length < 32 * 1024, what)
    // What it took before was up to 6.5 s.
    assert.ok(seconds < 0.6, `${what}: ${seconds} s`)
  }
  await client.call('system.ping')
})

test('as many valid ranges as a line holds are taken', async () => {
  const client = await daemon.client()
  const ranges = Array.from({ length: 500 }, (_, at) => `{"offset":${at * 2},"length":1}`).join(',')
  const files = Array.from({ length: 80 }, (_, at) => `{"remoteName":"http://127.0.0.1/","localName":"/tmp/a${at}","ranges":[${ranges}]}`)
  const answer = await client.exchange(call('job.create', `{${job},"files":[${files.join(',')}]}`)) as Answer
  assert.equal(answer.error, undefined)
})

test('100,000 empty lines, and lines that hold next to nothing, hold up nobody', async () => {
  const [one, other] = [await daemon.client(), await daemon.client()]
  const before = processorSeconds()
  one.write('\n'.repeat(100_000))
  one.write('1\n'.repeat(2000))
  await one.until(() => one.messages.length === 2000, 'all the answers')
  await other.call('system.ping')
  assert.ok(processorSeconds() - before < 2)
})
