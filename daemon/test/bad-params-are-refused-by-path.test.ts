import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Daemon } from './support/daemon.ts'

const daemon = await Daemon.start()
after(() => daemon.close())
const client = await daemon.client()
const { job } = await client.call('job.create', { displayName: 'mine' })
const unknownJob = '00000000-0000-4000-8000-000000000000'

async function issuesOf(method: string, params: unknown): Promise<unknown[]> {
  const { code, data, message } = await client.refusal(method, params)
  assert.deepEqual([code, data.kind, data.retryable], [-32602, 'invalid-params', false], `${method} ${JSON.stringify(params)}`)
  assert.ok(message.length > 10)
  assert.ok(Array.isArray(data['issues']) && data['issues'].length > 0)
  return data['issues'].map(({ path, message: text }: { path: unknown; message: unknown }) => {
    assert.ok(typeof text === 'string' && text.length > 0)
    return path
  })
}

const file = (more: object): object => ({ displayName: 'x', files: [{ remoteName: 'http://127.0.0.1/a', localName: '/tmp/a', ...more }] })

test('params are named: a list is refused', async () => {
  for (const method of ['job.create', 'job.get', 'job.list', 'session.hello', 'system.ping']) assert.deepEqual(await issuesOf(method, ['mine']), [[]])
})

test('an unknown name is refused at its own path, in every method and at every depth', async () => {
  assert.deepEqual(await issuesOf('system.ping', { x: 1 }), [['x']])
  assert.deepEqual(await issuesOf('job.get', { jobId: job.id, more: 1 }), [['more']])
  assert.deepEqual(await issuesOf('job.create', { displayName: 'x', options: { timeout: 1 } }), [['options', 'timeout']])
  assert.deepEqual(await issuesOf('job.create', { displayName: 'x', options: { http: { proxy: 1 } } }), [['options', 'http', 'proxy']])
  assert.deepEqual(await issuesOf('job.create', { displayName: 'x', options: { notify: { shell: true } } }), [['options', 'notify', 'shell']])
  assert.deepEqual(await issuesOf('job.create', file({ size: 3 })), [['files', 0, 'size']])
  assert.deepEqual(await issuesOf('job.update', { jobId: job.id, set: { state: 'queued' } }), [['set', 'state']])
  for (const name of ['constructor', 'toString', 'hasOwnProperty']) assert.deepEqual(await issuesOf('job.get', { jobId: job.id, [name]: 1 }), [[name]])
})

test('the name __proto__ is an unknown name like any other', async () => {
  for (const [method, rest] of [['system.ping', ''], ['job.get', `,"jobId":"${job.id}"`], ['job.create', ',"displayName":"polluted"']] as const) {
    client.send(`{"jsonrpc":"2.0","id":"proto ${method}","method":"${method}","params":{"__proto__":{"state":"queued"}${rest}}}`)
    const { error } = await client.answer(`proto ${method}`)
    assert.equal(error?.code, -32602, method)
  }
  client.send(`{"jsonrpc":"2.0","id":"proto header","method":"job.create","params":{"displayName":"polluted","options":{"http":{"headers":{"__proto__":"x"}}}}}`)
  assert.equal((await client.answer('proto header')).error?.code, -32602)
})

test('what is missing or of another type is named', async () => {
  assert.deepEqual(await issuesOf('job.create', {}), [['displayName']])
  assert.deepEqual(await issuesOf('job.create', undefined), [['displayName']])
  assert.deepEqual(await issuesOf('job.create', { displayName: 7 }), [['displayName']])
  assert.deepEqual(await issuesOf('job.create', { displayName: 'x', files: {} }), [['files']])
  assert.deepEqual(await issuesOf('job.create', { displayName: 'x', priority: 'highest' }), [['priority']])
  assert.deepEqual(await issuesOf('job.create', { displayName: 'x', type: 'download ' }), [['type']])
  assert.deepEqual(await issuesOf('job.create', { displayName: 'x', resume: 'yes' }), [['resume']])
  assert.deepEqual(await issuesOf('job.create', { displayName: 'x', files: [{ localName: '/tmp/a' }] }), [['files', 0, 'remoteName']])
  assert.deepEqual(await issuesOf('job.addFiles', { jobId: job.id, files: [] }), [['files']])
  assert.deepEqual(await issuesOf('job.update', { jobId: job.id }), [['set']])
  assert.deepEqual(await issuesOf('job.wait', { jobId: job.id, timeoutSeconds: -1 }), [['timeoutSeconds']])
  assert.deepEqual(await issuesOf('job.wait', { jobId: job.id, states: ['done'] }), [['states', 0]])
  assert.deepEqual(await issuesOf('job.list', { limit: 0 }), [['limit']])
  assert.deepEqual(await issuesOf('job.list', { cursor: 'nonsense' }), [['cursor']])
  assert.deepEqual(await issuesOf('file.list', { jobId: job.id, cursor: '-1' }), [['cursor']])
  assert.deepEqual(await issuesOf('file.get', { jobId: job.id, fileIndex: -1 }), [['fileIndex']])
  assert.deepEqual(await issuesOf('file.get', { jobId: job.id, fileIndex: 1.5 }), [['fileIndex']])
  assert.deepEqual(await issuesOf('job.get', { jobId: 'no uuid' }), [['jobId']])
})

test('all that is wrong is named at once', async () => {
  const paths = await issuesOf('job.create', { displayName: '', priority: 1, files: [{ remoteName: 'x', localName: 'y' }] })
  assert.deepEqual(paths.map(String).sort(), ['displayName', 'files,0,localName', 'files,0,remoteName', 'priority'])
})

test('a remote name that is not an absolute http or https URL is refused', async () => {
  const names = ['', 'file', '/file', '//host/file', 'ftp://host/file', 'file:///etc/passwd', 'http:', 'http://', 'http:///file', 'http://?x', 'http://host:99999/',
    'http:host/file', ' http://host/', 'http://host/ ', 'http://ho st/', 'javascript:alert(1)', 'http://host/\n', 'http://host/\u0000', `http://host/${'x'.repeat(2200)}`, 'http://[::1', 'http://%00/']
  for (const remoteName of names) assert.deepEqual((await issuesOf('job.create', file({ remoteName })))[0], ['files', 0, 'remoteName'], remoteName)
})

test('a local name that is not an absolute path of a file is refused', async () => {
  for (const localName of ['', 'a', './a', '../a', '~/a', '/tmp/', '/', '/tmp/../etc/a', '/tmp/./a', '/tmp/..', '/tmp/a\u0000b', '/tmp/a\nb', '/tmp/\u009b', '/tmp/\ud800', 'C:\\a', 'file:///tmp/a', `/${'x'.repeat(4095)}`]) {
    assert.deepEqual((await issuesOf('job.create', file({ localName })))[0], ['files', 0, 'localName'], JSON.stringify(localName))
  }
})

test('ranges that overlap, are empty or negative are refused', async () => {
  const wrong = [
    [], [{ offset: -1, length: 1 }], [{ offset: 0, length: 0 }], [{ offset: 0 }], [{ length: 1 }], [{ offset: 0, length: 1.5 }],
    [{ offset: 0, length: 10 }, { offset: 9, length: 1 }], [{ offset: 10, length: 5 }, { offset: 0, length: 11 }],
    [{ offset: 0, length: null }, { offset: 100, length: 1 }], [{ offset: 5, length: 1 }, { offset: 5, length: 1 }],
    [{ offset: 2 ** 53, length: 1 }], 'bytes=0-1',
  ]
  for (const ranges of wrong) assert.deepEqual((await issuesOf('job.create', file({ ranges })))[0]?.toString().startsWith('files,0,ranges'), true, JSON.stringify(ranges))
  await client.call('job.create', file({ ranges: [{ offset: 10, length: null }, { offset: 0, length: 10 }] }))
  await client.call('job.create', file({ ranges: null }))
})

test('a checksum of an unknown kind or a wrong length is refused', async () => {
  for (const checksum of [{}, { algorithm: 'crc32', value: '00' }, { algorithm: 'sha256', value: 'ab' }, { algorithm: 'md5', value: 'z'.repeat(32) }, { algorithm: 'md5', value: 'a'.repeat(40) }]) {
    assert.equal((await issuesOf('job.create', file({ checksum })))[0]?.toString().startsWith('files,0,checksum'), true)
  }
  const made = await client.call('job.create', file({ checksum: { algorithm: 'md5', value: 'A'.repeat(32) } }))
  const { file: stored } = await client.call('file.get', { jobId: made.job.id, fileIndex: 0 })
  assert.deepEqual(stored.checksum, { algorithm: 'md5', value: 'a'.repeat(32) })
})

test('names have 1 to 256 characters and no control characters', async () => {
  for (const displayName of ['', 'x'.repeat(257), 'a\u0000', 'a\nb', '\u001b[31m', 'half \ud83d']) assert.deepEqual((await issuesOf('job.create', { displayName }))[0], ['displayName'])
  for (const application of ['', 'x'.repeat(257), 'a\tb']) assert.deepEqual((await issuesOf('job.create', { displayName: 'x', application }))[0], ['application'])
  const { job: longest } = await client.call('job.create', { displayName: '😀'.repeat(128), application: 'x'.repeat(256), description: 'two\nlines' })
  assert.deepEqual([longest.displayName, longest.description], ['😀'.repeat(128), 'two\nlines'])
})

test('options out of their bounds are refused', async () => {
  const wrong: readonly (readonly [object, string])[] = [
    [{ minimumRetryDelaySeconds: -1 }, 'minimumRetryDelaySeconds'], [{ minimumRetryDelaySeconds: 1.5 }, 'minimumRetryDelaySeconds'],
    [{ noProgressTimeoutSeconds: '1' }, 'noProgressTimeoutSeconds'], [{ maximumDownloadBytes: 0 }, 'maximumDownloadBytes'],
    [{ notify: { events: ['everything'] } }, 'notify'], [{ notify: { command: { program: 'true' } } }, 'notify'], [{ notify: { command: { program: '/bin/true', args: 'x' } } }, 'notify'],
    [{ notify: { minimumIntervalMs: -1 } }, 'notify'], [{ http: { method: 'POST' } }, 'http'], [{ http: { redirects: 'maybe' } }, 'http'],
    [{ http: { headers: { 'a b': 'x' } } }, 'http'], [{ http: { headers: { a: 'x\r\nb: y' } } }, 'http'], [{ http: { headers: { Range: 'bytes=0-1' } } }, 'http'],
  ]
  for (const [options, name] of wrong) assert.equal(((await issuesOf('job.create', { displayName: 'x', options }))[0] as unknown[])[1], name, JSON.stringify(options))
})

test('a refused call has made nothing', async () => {
  const { jobs } = await client.call('job.list', {})
  assert.deepEqual(jobs.filter(({ displayName }) => displayName === 'polluted'), [])
  const { code } = await client.refusal('job.create', { displayName: 'half', files: [{ remoteName: 'http://127.0.0.1/a', localName: '/tmp/a' }, { remoteName: 'http://127.0.0.1/b', localName: 'b' }] })
  assert.equal(code, -32602)
  assert.deepEqual((await client.call('job.list', {})).jobs.map(({ id }) => id), jobs.map(({ id }) => id))
})

test('every method about a job says of one that does not exist that it does not exist', async () => {
  const calls: readonly [string, object][] = [
    ['job.get', {}], ['job.resume', {}], ['job.suspend', {}], ['job.cancel', {}], ['job.complete', {}], ['job.wait', {}], ['job.explain', {}], ['job.update', { set: {} }],
    ['job.addFiles', { files: [{ remoteName: 'http://127.0.0.1/a', localName: '/tmp/a' }] }], ['file.list', {}], ['file.get', { fileIndex: 0 }], ['file.update', { fileIndex: 0, set: {} }],
  ]
  for (const [method, params] of calls) {
    const { code, data } = await client.refusal(method, { jobId: unknownJob, ...params })
    assert.deepEqual([code, data.kind, data.retryable], [1001, 'job-not-found', false], method)
  }
})

test('an id may be written in capitals', async () => {
  assert.equal((await client.call('job.get', { jobId: job.id.toUpperCase() })).job.id, job.id)
})

test('a file that the job does not have is refused', async () => {
  for (const [method, more] of [['file.get', {}], ['file.update', { set: { remoteName: 'http://127.0.0.1/b' } }]] as const) {
    const { code, data } = await client.refusal(method, { jobId: job.id, fileIndex: 3, ...more })
    assert.deepEqual([code, data.kind], [1009, 'file-not-found'], method)
  }
})

test('a job without files cannot be resumed, and uploads are not supported', async () => {
  const empty = await client.refusal('job.resume', { jobId: job.id })
  assert.deepEqual([empty.code, empty.data.kind], [1003, 'empty-job'])
  const atOnce = await client.refusal('job.create', { displayName: 'x', resume: true })
  assert.deepEqual([atOnce.code, atOnce.data.kind], [1003, 'empty-job'])
  for (const type of ['upload', 'upload-reply']) assert.equal((await client.refusal('job.create', { displayName: 'x', type })).code, 1010)
})
