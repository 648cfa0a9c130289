// `ping`: is there a daemon, which one, and as whom does it know the caller.
import type { AddVerb } from '../verb.ts'

export const addPing: AddVerb = (program, run) => {
  program.command('ping')
    .summary('ask whether the daemon answers')
    .description('Asks whether the daemon answers, and says which one it is.')
    .action(run(async (verb) => {
      const client = await verb.client()
      const startedAt = performance.now()
      await client.ping()
      const milliseconds = Math.round((performance.now() - startedAt) * 1000) / 1000
      const { daemon, caller, capabilities } = client.hello
      verb.answer({ socket: client.socket, milliseconds, daemon, caller, capabilities },
        `${daemon.name} ${daemon.version} (${daemon.mode} mode, pid ${daemon.pid}) answers at ${client.socket} in ${milliseconds.toFixed(1)} ms; `
        + `you are ${caller.name} (${caller.role})`)
    }))
}
