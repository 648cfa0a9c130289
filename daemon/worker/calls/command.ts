// Runs the owner's program for an event: as the owner, whom this process runs as; without a shell; with exactly
// the environment given; in a session of its own, so that what it started can be ended with it.
import { spawn } from 'node:child_process'
import type { Orders } from '../../link/messages.ts'
import { codeOf } from '../failure-from.ts'
import { endTree } from './process-tree.ts'

type Result = Orders['command.run']['result']

interface Running {
  readonly pid: number
  readonly marks: readonly string[]
}

/** What names the run in the environment of all that it starts. */
const markNames = ['BACKHAUL_JOB_ID', 'BACKHAUL_EVENT', 'BACKHAUL_SOCKET']

export class Commands {
  readonly #running = new Map<number, Running>()

  run({ commandId, program, args, environment, timeoutMs }: Orders['command.run']['params']): Promise<Result> {
    return new Promise((resolve) => {
      const child = spawn(program, [...args], { cwd: '/', env: { ...environment }, stdio: 'ignore', detached: true, shell: false })
      const { pid } = child
      const marks = markNames.flatMap((name) => environment[name] === undefined ? [] : [`${name}=${environment[name]}`])
      if (pid !== undefined) this.#running.set(commandId, { pid, marks: marks.length === markNames.length ? marks : [] })
      let isLate = false
      const limit = setTimeout(() => {
        isLate = true
        this.end(commandId)
      }, timeoutMs)
      const finish = (result: Result): void => {
        clearTimeout(limit)
        this.#running.delete(commandId)
        resolve(result)
      }
      child.once('error', (error) => finish({ exitCode: null, message: `The program could not be started (${codeOf(error)}).` }))
      child.once('exit', (exitCode, signal) => {
        if (isLate) return finish({ exitCode: null, message: 'The program ran longer than it may.' })
        finish(exitCode === null ? { exitCode, message: `The program was ended by ${signal}.` } : { exitCode, message: null })
      })
    })
  }

  /** Ends a program with all that it started, if it still runs. */
  end(commandId: number): void {
    const running = this.#running.get(commandId)
    if (running) endTree(running.pid, running.marks)
  }

  /** Ends what still runs. */
  close(): void {
    for (const commandId of [...this.#running.keys()]) this.end(commandId)
    this.#running.clear()
  }
}
