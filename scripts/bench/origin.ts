// The origin: nginx with a folder and a configuration of its own, serving files from memory over http and https, so that
// neither the disk nor a slow server is what is measured.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { randomFillSync, createHash } from 'node:crypto'
import net from 'node:net'
import { join } from 'node:path'

const memoryFolder = '/dev/shm'
const mebibyte = 1024 * 1024

export interface Origin {
  readonly http: string
  readonly https: string
  readonly httpPort: number
  /** The certificate that an https client has to trust. */
  readonly authority: string
  /** Makes a file of so many bytes below the root, if it is not there; gives its sha256 where it was asked for. */
  file(name: string, bytes: number, wantsHash?: boolean): string
  close(): Promise<void>
}

export async function startOrigin(): Promise<Origin> {
  const folder = mkdtempSync(join(memoryFolder, 'backhaul-bench-'))
  const root = join(folder, 'root')
  mkdirSync(root)
  const [httpPort, httpsPort] = [await freePort(), await freePort()]
  const authority = makeCertificate(folder)
  const configuration = join(folder, 'nginx.conf')
  writeFileSync(configuration, configurationFor(folder, root, httpPort, httpsPort))
  const nginx = spawn('nginx', ['-p', folder, '-c', configuration, '-e', join(folder, 'error.log')], { stdio: 'ignore' })
  await accepts(httpPort, nginx)
  const made = new Map<string, string>()
  return {
    http: `http://127.0.0.1:${httpPort}`, https: `https://127.0.0.1:${httpsPort}`, httpPort, authority,
    file(name, bytes, wantsHash = false) {
      const known = made.get(name)
      if (known !== undefined) return known
      const hash = makeFile(join(root, name), bytes, wantsHash)
      made.set(name, hash)
      return hash
    },
    async close() {
      await ended(nginx)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function configurationFor(folder: string, root: string, httpPort: number, httpsPort: number): string {
  return `daemon off; worker_processes 2; pid ${folder}/nginx.pid; user root;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; root ${root};
  client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2; fastcgi_temp_path ${folder}/t3; uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5;
  server { listen 127.0.0.1:${httpPort}; }
  server { listen 127.0.0.1:${httpsPort} ssl; ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem; ssl_protocols TLSv1.3; }
}
`
}

function makeCertificate(folder: string): string {
  const certificate = join(folder, 'cert.pem')
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1',
    '-keyout', join(folder, 'key.pem'), '-out', certificate], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`no certificate could be made: ${made.stderr}`)
  return certificate
}

/** Every piece differs from every other, so that no piece in the wrong place goes unseen. */
function makeFile(path: string, bytes: number, wantsHash: boolean): string {
  const piece = randomFillSync(Buffer.alloc(Math.min(mebibyte, Math.max(bytes, 8))))
  const hash = createHash('sha256')
  const fd = openSync(path, 'w')
  for (let at = 0; at < bytes; at += piece.length) {
    piece.writeDoubleLE(at)
    const part = piece.subarray(0, Math.min(piece.length, bytes - at))
    writeSync(fd, part)
    if (wantsHash) hash.update(part)
  }
  closeSync(fd)
  return wantsHash ? hash.digest('hex') : ''
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Resolves when somebody listens there; rejects when the process that should has ended. */
export async function accepts(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1')
      socket.once('connect', () => { socket.destroy(); resolve(true) })
      socket.once('error', () => resolve(false))
    })
    if (isThere) return
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exited
}
