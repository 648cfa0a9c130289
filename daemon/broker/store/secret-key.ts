// The key under which secrets lie in the store: systemd's credential `backhaul.key`, else `secret.key` in the state folder, made at
// the first start (0600, atomically, flushed before it is used). A key that others can read, or that is none, stops the start with one
// clear line. The key of the folder stays known beside a credential, so that what was sealed before can still be read.
import { randomBytes } from 'node:crypto'
import { closeSync, constants, fstatSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export interface Keys {
  /** Seals from now on. */
  readonly present: Buffer
  /** May have sealed before. */
  readonly earlier: readonly Buffer[]
}

const keyBytes = 32
const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants

/** @throws Error whose message is for the person who started the daemon */
export function openKeys(stateFolder: string, environment: NodeJS.ProcessEnv = process.env): Keys {
  const file = join(stateFolder, 'secret.key')
  const credentials = environment['CREDENTIALS_DIRECTORY']
  const given = credentials ? readKey(join(credentials, 'backhaul.key')) : null
  if (given) {
    const own = readKey(file)
    return { present: given, earlier: own ? [own] : [] }
  }
  return { present: readKey(file) ?? makeKey(file, stateFolder), earlier: [] }
}

function readKey(file: string): Buffer | null {
  let fd: number
  try {
    fd = openSync(file, O_RDONLY | O_NOFOLLOW)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  try {
    const { mode } = fstatSync(fd)
    // 0440 is what systemd gives a credential, whose folder it closes to others.
    if (process.platform !== 'win32' && (mode & 0o037) !== 0) throw new Error(`the key ${file} can be read by others than its owner (mode ${(mode & 0o777).toString(8)})`)
    return keyOf(readFileSync(fd), file)
  } finally {
    closeSync(fd)
  }
}

/** As it is, or as text: `head -c 32 /dev/urandom`, `openssl rand -hex 32`, `openssl rand -base64 32`. */
function keyOf(bytes: Buffer, file: string): Buffer {
  if (bytes.length === keyBytes) return bytes
  const text = bytes.toString('latin1').trim()
  const key = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, 'hex') : /^[A-Za-z0-9+/]{43}=$/.test(text) ? Buffer.from(text, 'base64') : null
  if (!key) throw new Error(`${file} holds no key of ${keyBytes} bytes`)
  return key
}

function makeKey(file: string, folder: string): Buffer {
  const key = randomBytes(keyBytes)
  const draft = `${file}.${process.pid}`
  const fd = openSync(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    writeSync(fd, key)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  try {
    // A link does not replace a key that came into being meanwhile.
    linkSync(draft, file)
  } finally {
    unlinkSync(draft)
  }
  syncFolder(folder)
  return key
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const fd = openSync(folder, O_RDONLY | O_DIRECTORY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
