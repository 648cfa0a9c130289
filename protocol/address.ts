// Where the daemon listens, given the platform and the environment. Pure: nobody is asked and nothing is
// opened here, so client and daemon cannot disagree (contract §1).

export type Mode = 'system' | 'user'

export interface Surroundings {
  readonly platform: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The caller's uid; `null` on Windows. */
  readonly uid: number | null
  readonly userName: string
  readonly home: string
  readonly temporaryFolder: string
}

export function socketPath(mode: Mode, at: Surroundings): string {
  if (at.platform === 'win32') return mode === 'system' ? '\\\\.\\pipe\\backhaul' : `\\\\.\\pipe\\backhaul-${at.userName}`
  if (mode === 'system') return '/run/backhaul/backhaul.sock'
  const runtime = at.environment['XDG_RUNTIME_DIR']
  return runtime ? `${runtime}/backhaul/backhaul.sock` : `${at.temporaryFolder}/backhaul-${at.uid ?? at.userName}/backhaul.sock`
}

/** The sockets a client tries, in order: the one that is named, else the user's, else the system's. */
export function socketCandidates(at: Surroundings): readonly string[] {
  const named = at.environment['BACKHAUL_SOCKET']
  return named ? [named] : [socketPath('user', at), socketPath('system', at)]
}

export function stateFolder(mode: Mode, at: Surroundings): string {
  if (at.platform === 'win32') {
    return mode === 'system' ? `${at.environment['ProgramData'] ?? 'C:\\ProgramData'}\\Backhaul` : `${at.environment['LOCALAPPDATA'] ?? at.home}\\Backhaul`
  }
  return mode === 'system' ? '/var/lib/backhaul' : `${at.environment['XDG_STATE_HOME'] || `${at.home}/.local/state`}/backhaul`
}

export function configurationFile(mode: Mode, at: Surroundings): string {
  if (at.platform === 'win32') return `${stateFolder(mode, at)}\\config.toml`
  return mode === 'system' ? '/etc/backhaul/config.toml' : `${at.environment['XDG_CONFIG_HOME'] || `${at.home}/.config`}/backhaul/config.toml`
}
