// Runs the owner's program for an event: as the owner, whom this process runs as; without a shell; with exactly
// the environment given; in a process group of its own, so that a time limit ends its children too.
import { spawn } from 'node:child_process'
import type { Orders } from '../../link/messages.ts'
import { codeOf } from '../failure-from.ts'

type Result = Orders['command.run']['result']

export class Commands {
  readonly #running = new Set<number>()

  run({ program, args, environment, timeoutMs }: Orders['command.run']['params']): Promise<Result> {
    return new Promise((resolve) => {
      const child = spawn(program, [...args], { cwd: '/', env: { ...environment }, stdio: 'ignore', detached: true, shell: false })
      const { pid } = child
      if (pid !== undefined) this.#running.add(pid)
      let isLate = false
      const limit = setTimeout(() => {
        isLate = true
        if (pid !== undefined) endGroup(pid)
      }, timeoutMs)
      const finish = (result: Result): void => {
        clearTimeout(limit)
        if (pid !== undefined) this.#running.delete(pid)
        resolve(result)
      }
      child.once('error', (error) => finish({ exitCode: null, message: `The program could not be started (${codeOf(error)}).` }))
      child.once('exit', (exitCode, signal) => {
        if (isLate) return finish({ exitCode: null, message: 'The program ran longer than it may.' })
        finish(exitCode === null ? { exitCode, message: `The program was ended by ${signal}.` } : { exitCode, message: null })
      })
    })
  }

  /** Ends what still runs. */
  close(): void {
    for (const pid of this.#running) endGroup(pid)
    this.#running.clear()
  }
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // It ended by itself in the meantime.
    if (codeOf(error) !== 'ESRCH') throw error
  }
}
