/** Something answers on the socket already, or is about to. */
export class AlreadyRunning extends Error {
  readonly code = 'already-running'

  constructor(path: string) {
    super(`another daemon is running on ${path}`)
    this.name = 'AlreadyRunning'
  }
}
