// Transfers over TLS, against certificates of every kind. The certificates are made by the openssl program.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createSecureServer as createHttp2Server } from 'node:http2'
import { createServer } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { LocalFile } from '../link/messages.ts'
import { startOrigin } from '../test/support/origin.ts'
import { orderFor, startWorker, type Reported, type TestWorker } from '../test/support/worker.ts'

const skip = spawnSync('openssl', ['version']).status === 0 ? false : 'the openssl program is not here'
const folder = mkdtempSync(join(tmpdir(), 'backhaul-tls-'))
let worker: TestWorker
let files = 0

function makeCertificate(name: string, more: readonly string[] = []): { key: string; cert: string } {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-subj', `/CN=${name}`, ...more], { stdio: 'ignore' })
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}

const localFile = (): LocalFile => {
  files += 1
  return { localName: join(folder, `file-${files}`), temporaryName: `BH${files}.tmp`, resumePoint: null }
}
const codeOf = (last: Reported): string => last.name === 'transfer.failed' ? last.params.failure.code : last.name

const named = skip ? null : makeCertificate('named', ['-days', '2', '-addext', 'subjectAltName=IP:127.0.0.1'])
const misnamed = skip ? null : makeCertificate('misnamed', ['-days', '2', '-addext', 'subjectAltName=DNS:elsewhere.example'])

before(async () => {
  if (named && misnamed) worker = await startWorker({ certificateAuthorities: [named.cert, misnamed.cert] })
})
after(async () => {
  await worker?.close()
  rmSync(folder, { recursive: true })
})

test('files of every size and framing come over TLS, and connections are used again', { skip }, async () => {
  assert.ok(named)
  const origin = await startOrigin(named)
  try {
    for (const bytes of [0, 1000, 3_000_000, 1000, 3_000_000]) {
      for (const framing of ['length', 'chunked'] as const) {
        const body = randomBytes(bytes)
        origin.route('/file', { body, framing })
        const file = localFile()
        assert.equal(codeOf(await worker.transfer(orderFor(origin.url('/file'), file))), 'transfer.done')
        assert.ok(readFileSync(join(folder, file.temporaryName)).equals(body))
      }
    }
    assert.equal(new Set(origin.requests.map(({ connection }) => connection)).size, 1)
  } finally {
    await origin.close()
  }
})

test('a slow file over TLS that was cut arrives whole', { skip }, async () => {
  assert.ok(named)
  const origin = await startOrigin(named)
  try {
    const body = randomBytes(20_000_000)
    origin.route('/file', ({ count }) => count === 0 ? { body, pace: { bytes: 20_000, everyMs: 4 }, cutAfter: 1_000_000, cut: 'reset' } : { body })
    const file = localFile()
    const first = await worker.transfer(orderFor(origin.url('/file'), file, { connections: 1 }))
    assert.equal(first.name, 'transfer.failed')
    const { resumePoint } = first.params as Extract<Reported, { name: 'transfer.failed' }>['params']
    assert.equal(codeOf(await worker.transfer(orderFor(origin.url('/file'), { ...file, resumePoint }))), 'transfer.done')
    assert.ok(readFileSync(join(folder, file.temporaryName)).equals(body))
  } finally {
    await origin.close()
  }
})

test('a cut connection is never taken for the end of a file', { skip }, async () => {
  assert.ok(named)
  const origin = await startOrigin(named)
  try {
    for (const body of [randomBytes(1000), randomBytes(3_000_000)]) {
      for (const cut of ['end', 'reset'] as const) {
        origin.route('/cut', { body, cutAfter: body.length / 2, cut })
        assert.equal(codeOf(await worker.transfer(orderFor(origin.url('/cut'), localFile()))), 'connection-closed')
      }
      origin.route('/close', { body, framing: 'close', cutAfter: body.length, cut: 'reset' })
      assert.equal(codeOf(await worker.transfer(orderFor(origin.url('/close'), localFile()))), 'connection-closed')
    }
  } finally {
    await origin.close()
  }
})

test('a body without length is over when TLS is closed in order, in either version and in every size', { skip }, async () => {
  assert.ok(named)
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const origin = await startOrigin({ ...named, minVersion: version, maxVersion: version })
    try {
      for (const bytes of [0, 1000, 64 * 1024, 3_000_000]) {
        for (const more of [{ framing: 'close' }, { framing: 'close', pace: { bytes: 1 + bytes / 3, everyMs: 2 } }] as const) {
          const body = randomBytes(bytes)
          origin.route('/close', { body, ...more })
          const file = localFile()
          assert.equal(codeOf(await worker.transfer(orderFor(origin.url('/close'), file))), 'transfer.done', `${version}, ${bytes}`)
          assert.ok(readFileSync(join(folder, file.temporaryName)).equals(body))
        }
      }
    } finally {
      await origin.close()
    }
  }
})

test('a server that speaks HTTP/2 only is no use, now and later', { skip }, async () => {
  assert.ok(named)
  const server = createHttp2Server(named)
  server.on('sessionError', () => {})
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  assert.equal(codeOf(await worker.transfer(orderFor(`https://127.0.0.1:${port}/`, localFile()))), 'unsupported-protocol')
  await new Promise((resolve) => server.close(resolve))
})

test('a certificate that does not hold ends the attempt before anything is asked', { skip }, async () => {
  assert.ok(misnamed)
  for (const tls of [misnamed, makeCertificate('unknown', ['-addext', 'subjectAltName=IP:127.0.0.1'])]) {
    const origin = await startOrigin(tls)
    try {
      assert.equal(codeOf(await worker.transfer(orderFor(origin.url('/file'), localFile()))), 'certificate-invalid')
      assert.equal(origin.requests.length, 0)
    } finally {
      await origin.close()
    }
  }
})

test('a server that speaks only an old TLS is refused', { skip }, async () => {
  assert.ok(named)
  const server = createServer({ ...named, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    assert.equal(codeOf(await worker.transfer(orderFor(`https://127.0.0.1:${port}/`, localFile()))), 'tls-failure')
  } finally {
    server.close()
  }
})
