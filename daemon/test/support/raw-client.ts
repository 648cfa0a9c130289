// A client that knows nothing of ours: lines of text over a plain socket. It sends whatever it is told, keeps everything
// that comes back, and waits for what a test names, with a time limit. As root it can connect as another user.
import net from 'node:net'
import type { MethodName, Result } from '../../../protocol/methods.ts'

/** `data` of an error: what every refusal has, and what belongs to its kind. */
export interface Data {
  readonly kind: string
  readonly retryable: boolean
  readonly [more: string]: unknown
}

export interface Answer {
  readonly jsonrpc?: unknown
  readonly id?: unknown
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string; readonly data: Data }
}

export interface Identity {
  readonly uid: number
  readonly gid: number
}

export interface Identity {
  readonly uid: number
  readonly gid: number
}

/** What comes without a schema: a test reads any member of it and compares. */
export interface Loose {
  readonly [member: string]: Loose
  readonly [index: number]: Loose
}

const limitMs = 30_000

export class RawClient {
  /** All that came, parsed, in order; a batch is one. */
  readonly messages: (Answer | readonly Answer[])[] = []
  readonly #socket: net.Socket
  readonly #listeners = new Set<() => void>()
  #text = ''
  #lastId = 10_000
  isClosed = false

  private constructor(socket: net.Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => this.#take(text))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.isClosed = true
      this.#told()
    })
  }

  /** @param as whom the kernel shall name; only root may say it */
  static async open(path: string, as: Identity | null = null): Promise<RawClient> {
    const socket = connectAs(path, as)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new RawClient(socket)
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** One line: an object as JSON, a text as it is. */
  send(message: unknown): void {
    this.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`)
  }

  /** Sends a request and gives its id. */
  begin(method: string, params?: unknown): number {
    const id = ++this.#lastId
    this.send({ jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) })
    return id
  }

  async answer(id: unknown, timeoutMs: number = limitMs): Promise<Answer> {
    const isIt = (message: Answer | readonly Answer[]): message is Answer => 'id' in message && message.id === id && !('method' in message)
    await this.until(() => this.messages.some(isIt), `an answer to ${String(id)}`, timeoutMs)
    return this.messages.find(isIt) ?? {}
  }

  async ask(method: string, params?: unknown, timeoutMs?: number): Promise<Answer> {
    return await this.answer(this.begin(method, params), timeoutMs)
  }

  /** The result, with the type that the protocol gives it; an error fails the test that asked. */
  async call<Name extends MethodName>(method: Name, params?: unknown, timeoutMs?: number): Promise<Result<Name>> {
    const { result, error } = await this.ask(method, params, timeoutMs)
    if (error) throw new Error(`${method} was refused: ${JSON.stringify(error)}`)
    return result as Result<Name>
  }

  /** The error of a call that must be refused. */
  async refusal(method: string, params?: unknown, timeoutMs?: number): Promise<NonNullable<Answer['error']>> {
    const answer = await this.ask(method, params, timeoutMs)
    if (!answer.error) throw new Error(`${method} was not refused: ${JSON.stringify(answer.result)}`)
    return answer.error
  }

  /** Sends one line and gives the next message that comes. */
  async exchange(line: unknown): Promise<Answer | readonly Answer[]> {
    const before = this.messages.length
    this.send(line)
    return await this.next(before)
  }

  async next(index: number = this.messages.length): Promise<Answer | readonly Answer[]> {
    await this.until(() => this.messages.length > index, 'another message')
    return this.messages[index] ?? []
  }

  async until(isSo: () => boolean, what: string, timeoutMs: number = limitMs): Promise<void> {
    if (isSo()) return
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#listeners.delete(look)
      }
      const look = (): void => {
        if (isSo()) resolve()
        else if (this.isClosed) reject(new Error(`the connection closed before ${what} came; what came: ${JSON.stringify(this.messages).slice(-2000)}`))
        else return
        end()
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`${what} did not come in ${timeoutMs} ms; what came: ${JSON.stringify(this.messages).slice(-2000)}`))
      }, timeoutMs)
      this.#listeners.add(look)
      look()
    })
  }

  async closed(): Promise<void> {
    await this.until(() => this.isClosed, 'the end')
  }

  /** Sends no more, and goes on reading. */
  end(): void {
    this.#socket.end()
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(text: string): void {
    const lines = (this.#text + text).split('\n')
    this.#text = lines.pop() ?? ''
    for (const line of lines) this.messages.push(JSON.parse(line) as Answer)
    this.#told()
  }

  #told(): void {
    for (const look of [...this.#listeners]) look()
  }
}

/** The kernel keeps who called connect(2), which happens before `net.connect` returns. */
function connectAs(path: string, as: Identity | null): net.Socket {
  if (!as) return net.connect(path)
  const groups = process.getgroups?.() ?? []
  process.setgroups?.([as.gid])
  process.setegid?.(as.gid)
  process.seteuid?.(as.uid)
  try {
    return net.connect(path)
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
    process.setgroups?.(groups)
  }
}
