// What most tests of the whole service begin with: a daemon, an origin with a file, and programs that connect. All of it is closed
// with the test file, and a program with the test that opened it.
import { after, afterEach } from 'node:test'
import { Daemon } from './daemon.ts'
import { startOrigin, type Origin } from './origin.ts'
import { Program } from './program.ts'

export interface Service {
  readonly daemon: Daemon
  /** Serves `/file`, and nothing under `/missing`. */
  readonly origin: Origin
  /** A new connection of the user who runs the tests. */
  readonly program: () => Program
}

/** To be called once, outside of every test. */
export async function openService(config = ''): Promise<Service> {
  const daemon = await Daemon.start({ config })
  const origin = await startOrigin()
  origin.route('/file', { body: Buffer.alloc(1000, 7) })
  origin.route('/missing', { status: 404 })
  const open: Program[] = []
  afterEach(() => { for (const program of open.splice(0)) program.close() })
  after(async () => {
    await origin.close()
    await daemon.close()
  })
  const program = (): Program => {
    const made = Program.open(daemon.socket)
    open.push(made)
    return made
  }
  return { daemon, origin, program }
}
