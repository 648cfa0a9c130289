// A program of its own process for crash tests: `logging-program SOCKET LOG SEED DEATHS`. It registers for everything, writes a
// line for each call before it answers, sometimes refuses, sometimes dies instead of answering, and connects again for
// as long as it lives. The line is on disk with the kernel before the answer goes, so what was acknowledged is in it.
import { appendFileSync } from 'node:fs'
import net from 'node:net'
import { Program } from './program.ts'

const [socket = '', log = '', seed = '1', deaths = '0'] = process.argv.slice(2)
let state = Number(seed)
const random = (): number => {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31
  return state / 2 ** 31
}
const write = (line: object): void => appendFileSync(log, `${JSON.stringify(line)}\n`)

for (;;) {
  const connection = net.connect(socket)
  const closed = new Promise<void>((resolve) => { connection.once('close', () => resolve()) })
  const program = new Program(connection)
  program.answer = ({ method, deliveryId, sequence, attempt, registrationId, job }) => {
    const fate = random()
    const answer = fate < Number(deaths) ? 'death' : fate < 0.3 ? 'error' : 'result'
    write({ method, deliveryId, sequence, attempt, registrationId, jobId: job.id, answer })
    if (answer === 'death') process.kill(process.pid, 'SIGKILL')
    if (answer === 'error') throw new Error('not now')
    return {}
  }
  await program.register({ all: true }).catch(() => {
    // The daemon is gone again, or not there yet: the next connection tries again.
    connection.destroy()
  })
  await closed
  await new Promise((resolve) => { setTimeout(resolve, 20) })
}
