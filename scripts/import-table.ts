// Who may import whom, as data: the house's layers, one row for each place, with its reason. The checking is in imports.ts.
// In a pattern `*` stands for anything without a slash and `**` for anything at all. The first row that fits a file is its row.
// Invariant: every source file fits a row, and every package has one; what is not listed is not allowed.

export interface Layer {
  readonly files: string
  readonly may: readonly string[]
  /** Refused although `may` would allow it. */
  readonly mayNot?: readonly string[]
  readonly why: string
  /** Plain values in, plain values out: what it must do without. */
  readonly free?: 'of node' | 'of node, clock and randomness'
}

/** What one room is to another, as types: whoever has it handed in may name it. */
const contracts = ['daemon/broker/store/store.ts', 'daemon/broker/workers/worker-link.ts', 'daemon/broker/rpc/connection.ts']
/** What all rooms of the worker share. */
const sharedInWorker = ['daemon/worker/cancellation.ts', 'daemon/worker/failure-from.ts', 'daemon/link/**', 'protocol/**']
const decisions = ['daemon/core/**', 'daemon/link/**', 'protocol/**', 'daemon/log.ts']

export const layers: readonly Layer[] = [
  {
    files: 'daemon/**/*.test.ts', may: ['daemon/**', 'client-sdk/**', 'protocol/**'],
    why: 'tests know their own folder, and talk like a client',
  },
  {
    files: 'daemon/test/**', may: ['daemon/**', 'client-sdk/**', 'protocol/**'],
    why: 'tests know their own folder, and talk like a client',
  },
  {
    files: 'client-sdk/**/*.test.ts', may: ['client-sdk/**', 'protocol/**'],
    why: 'tests know their own folder; a daemon is started as a process',
  },
  { files: 'protocol/*.test.ts', may: ['protocol/**'], why: 'what is said must be testable without either side' },
  {
    files: 'scripts/*.test.ts', may: ['scripts/**', 'client-sdk/**', 'protocol/**'],
    why: 'tests know their own folder, and talk like a client',
  },

  { files: 'protocol/**', may: ['protocol/**'], free: 'of node', why: 'both sides import it, so it may lean on neither' },
  { files: 'client-sdk/cli/**', may: ['client-sdk/**', 'protocol/**'], why: 'the command line is a client like any other' },
  {
    files: 'client-sdk/**', may: ['client-sdk/**', 'protocol/**'], mayNot: ['client-sdk/cli/**'],
    why: 'a program that imports it does not want our command line',
  },
  {
    files: 'daemon/core/**', may: ['daemon/core/**', 'protocol/**'], free: 'of node, clock and randomness',
    why: 'decisions are pure: time and effects are handed in and out',
  },
  {
    files: 'daemon/link/**', may: ['daemon/link/**', 'protocol/**'],
    why: 'the privileged and the unprivileged process share this and no more',
  },
  {
    files: 'daemon/worker/http/**', may: ['daemon/worker/http/**', ...sharedInWorker],
    why: 'who speaks to servers knows no file',
  },
  {
    files: 'daemon/worker/files/**', may: ['daemon/worker/files/**', 'daemon/libc.ts', ...sharedInWorker],
    why: 'who touches the disk knows no server',
  },
  {
    files: 'daemon/worker/hash/**', may: ['daemon/worker/hash/**', 'daemon/worker/files/partial-file.ts', ...sharedInWorker],
    why: 'checksums are of files, wherever they come from',
  },
  {
    files: 'daemon/worker/calls/**', may: ['daemon/worker/calls/**', ...sharedInWorker],
    why: "the owner's programs have nothing to do with transfers",
  },
  {
    files: 'daemon/worker/**', may: ['daemon/worker/**', 'daemon/link/**', 'protocol/**', 'daemon/log.ts', 'daemon/libc.ts'],
    why: "the owner's process decides nothing and records nothing",
  },

  {
    files: 'daemon/broker/supervisor.ts', may: ['daemon/libc.ts', ...decisions],
    why: 'what is said to systemd concerns no job',
  },
  {
    files: 'daemon/broker/queue.ts', may: ['daemon/broker/*.ts', 'daemon/broker/store/store.ts', ...decisions],
    why: 'the one writer knows no adapter: its store (by contract) and where its effects go are handed to it',
  },
  {
    files: 'daemon/broker/store/**', may: ['daemon/broker/store/**', ...decisions],
    why: 'store, notify and workers do not know each other',
  },
  {
    files: 'daemon/broker/notify/**', may: ['daemon/broker/notify/**', 'daemon/broker/*.ts', ...contracts, ...decisions],
    why: 'store, notify and workers do not know each other',
  },
  {
    files: 'daemon/broker/workers/**', may: ['daemon/broker/workers/**', 'daemon/broker/*.ts', 'daemon/libc.ts', ...decisions],
    why: 'store, notify and workers do not know each other',
  },
  {
    files: 'daemon/broker/methods/**', may: ['daemon/broker/methods/**', 'daemon/broker/*.ts', 'daemon/broker/notify/**', ...contracts, ...decisions], mayNot: ['daemon/broker/store/**'],
    why: 'a method checks, asks the queue or the registrations, and answers; it knows no connection and no store',
  },
  {
    files: 'daemon/broker/rpc/**', may: ['daemon/broker/rpc/**', 'daemon/broker/methods/**', 'daemon/broker/*.ts', 'daemon/broker/workers/account*.ts', 'daemon/libc.ts', ...decisions],
    why: 'a session hands calls to methods and knows nothing behind them',
  },
  {
    files: 'daemon/broker/waiters.ts', may: ['daemon/broker/*.ts', ...contracts, ...decisions],
    why: 'a wait ends with its connection',
  },
  {
    files: 'daemon/broker/*.ts', may: ['daemon/broker/**', ...decisions], mayNot: ['daemon/broker/methods/**', 'daemon/broker/rpc/**'],
    why: 'calls come from above; what carries them out does not look up',
  },
  { files: 'daemon/log.ts', may: ['protocol/**'], why: 'everybody logs, so logging leans on nobody' },
  { files: 'daemon/libc.ts', may: [], why: 'whoever needs a call of the system leans on it, and it on nobody' },
  { files: 'daemon/config*.ts', may: ['daemon/config*.ts', 'daemon/log.ts', 'protocol/**'], why: 'only the entry files read it, and pass values on' },
  {
    files: 'daemon/worker-start.ts', may: ['daemon/worker-main.ts'],
    why: 'it runs as root until it has become the owner: it loads nothing of the rest before',
  },
  { files: 'daemon/*.ts', may: ['daemon/**', 'protocol/**'], why: 'the entry files put the adapters together' },
  {
    files: 'scripts/**', may: ['scripts/**', 'client-sdk/**', 'protocol/**'],
    why: 'chores start the daemon as a process and never import it',
  },
]

export interface PackageRule {
  readonly files: readonly string[]
  readonly why: string
}

const anywhereInTests = { files: [], why: 'for tests only' }

/** Packages by name; tests may use them all. */
export const packages: Readonly<Record<string, PackageRule>> = {
  'json-rpc-2.0': { files: ['protocol/peer.ts'], why: 'one place wires the package' },
  undici: { files: ['daemon/worker/**'], why: "only the owner's process touches the network" },
  level: { files: ['daemon/broker/store/**'], why: 'the rest knows the contract of the store' },
  pino: { files: ['daemon/log.ts'], why: 'one place knows what must be hidden' },
  koffi: {
    files: [
      'daemon/libc.ts', 'daemon/broker/supervisor.ts', 'daemon/broker/rpc/identity*.ts', 'daemon/broker/workers/**',
      'daemon/worker*.ts', 'daemon/worker/**',
    ],
    why: 'calls into the system library stay where the system is asked',
  },
  commander: { files: ['client-sdk/cli/**'], why: 'a program that imports the SDK has no command line of ours' },
  'cli-progress': { files: ['client-sdk/cli/**'], why: 'a program that imports the SDK has no terminal of ours' },
  'smol-toml': { files: ['daemon/config*.ts'], why: 'only the configuration is TOML' },
  zod: { files: ['protocol/**', 'daemon/link/**', 'daemon/config*.ts', 'daemon/broker/store/**'], why: 'input is checked where it enters' },
  tsx: { files: ['daemon/worker-start.ts', 'scripts/**'], why: 'what starts a process from a clone' },
  esbuild: { files: ['scripts/**'], why: 'a chore' },
  typescript: { files: ['scripts/**'], why: 'a chore' },
  ajv: anywhereInTests,
  '@open-rpc/meta-schema': anywhereInTests,
}
