// The programs of the run: a real nginx with its own configuration, and the daemon in system mode from a copy of the tree that
// every user can read. Each is ended by its pid.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'

export interface Nginx {
  url(path: string): string
  /** One entry for each request that was answered. */
  served(path: string): { readonly from: number; readonly status: number; readonly bytes: number }[]
  stop(): Promise<void>
}

/** Sends what lies in `folder`/www, each answer at most so fast. */
export async function startNginx(folder: string, bytesPerSecond: number): Promise<Nginx> {
  const port = await freePort()
  const log = join(folder, 'access.log')
  mkdirSync(join(folder, 'www'), { recursive: true })
  writeFileSync(join(folder, 'nginx.conf'), `
daemon off; user root; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log warn;
events { worker_connections 256; }
http {
  log_format asked '$uri $http_range $status $body_bytes_sent';
  access_log ${log} asked;
  client_body_temp_path ${folder}/tmp; proxy_temp_path ${folder}/tmp; fastcgi_temp_path ${folder}/tmp; uwsgi_temp_path ${folder}/tmp; scgi_temp_path ${folder}/tmp;
  server { listen 127.0.0.1:${port}; root ${folder}/www; location / { limit_rate ${bytesPerSecond}; } }
}
`)
  const child = spawn(existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : 'nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'inherit'] })
  await until(() => accepts(port), 'nginx accepts')
  return {
    url: (path) => `http://127.0.0.1:${port}/${path}`,
    served: (path) => lines(log).map((line) => /^\/(\S+) (?:-|bytes=(\d+)-\S*) (\d+) (\d+)$/.exec(line)).filter((match) => match?.[1] === path)
      .map((match) => ({ from: Number(match?.[2] ?? 0), status: Number(match?.[3]), bytes: Number(match?.[4]) })),
    stop: () => end(child, 'SIGTERM'),
  }
}

export class SystemDaemon {
  readonly socket: string
  readonly #folder: string
  readonly #tree: string
  #child: ChildProcess | null = null

  constructor(folder: string, tree: string) {
    this.#folder = folder
    this.#tree = tree
    this.socket = join(folder, 'run', 'backhaul.sock')
    writeFileSync(join(folder, 'config.toml'), '')
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  async start(): Promise<void> {
    const flags = ['--mode', 'system', '--socket', this.socket, '--state', join(this.#folder, 'state'), '--config', join(this.#folder, 'config.toml'), '--log-level', 'warn']
    const child = spawn(process.execPath, [join(this.#tree, 'daemon', 'backhauld.js'), ...flags], { stdio: ['ignore', 'ignore', 'inherit'] })
    this.#child = child
    await until(async () => {
      if (child.exitCode !== null) throw new Error('the daemon ended at its start')
      return await accepts(this.socket)
    }, 'the daemon accepts')
  }

  async kill9(): Promise<void> {
    if (this.#child) await end(this.#child, 'SIGKILL')
  }

  async stop(): Promise<number | null> {
    if (this.#child) await end(this.#child, 'SIGTERM')
    return this.#child?.exitCode ?? null
  }
}

/** The files of the tree, and its packages, where every user can read them. */
export function copyTree(root: string, to: string): string {
  mkdirSync(to)
  chmodSync(to, 0o755)
  for (const name of ['package.json', 'tsconfig.json', 'protocol', 'client-sdk', 'daemon', 'scripts', 'node_modules']) cpSync(join(root, name), join(to, name), { recursive: true, verbatimSymlinks: true })
  return to
}

export async function until(isSo: () => boolean | Promise<boolean>, what: string, limitMs = 60_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error(`${what}: not so within ${limitMs} ms`)
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

function accepts(where: string | number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof where === 'number' ? net.connect(where, '127.0.0.1') : net.connect(where)
    socket.once('connect', () => { socket.destroy(); resolve(true) }).once('error', () => resolve(false))
  })
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

function lines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
}
