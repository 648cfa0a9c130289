// The first file of a worker process: becomes the owner, proves that there is no way back, and only then lets the rest load.
// It is preloaded (`--require`, or `--import` once compiled), so that nothing runs before it; in a clone that matters beyond tidiness,
// since the TypeScript loader starts a process of its own, which would stay root at the other end of a pipe that the owner holds.
// Hence it must be JavaScript as it stands: no type annotation, no import, no export, only builtins; defaults give the types.
// `--as uid:gid:name` says whom to become; without it (user mode) it stays who it is. What does not hold ends the process with a code
// that `broker/workers/spawn.ts` knows: 81 wrong use, 82 the rights are not those of the owner, 83 the owner cannot read our code.

{
  const fs = process.getBuiltinModule('node:fs')
  const { createRequire } = process.getBuiltinModule('node:module')
  const { isMainThread } = process.getBuiltinModule('node:worker_threads')

  // Part of Node, and missing in its types.
  const initgroups = Reflect.get(process, 'initgroups')

  const end = (code = 1, sentence = '') => {
    fs.writeSync(2, `${sentence}\n`)
    process.exit(code)
  }

  const mustBeRefused = (what = '', attempt = () => {}) => {
    try {
      attempt()
    } catch (error) {
      // EPERM is the answer that is wanted; anything else is no proof.
      if (error instanceof Error && 'code' in error && error.code === 'EPERM') return
      throw error
    }
    throw new Error(`${what} was not refused`)
  }

  /** On Linux, no capability may be left (capabilities(7)): root's are gone with the uid unless somebody set a securebit. */
  const verifyCapabilities = () => {
    if (process.platform !== 'linux') return
    const status = fs.readFileSync('/proc/self/status', 'utf8')
    for (const set of ['CapPrm', 'CapEff', 'CapAmb']) {
      if (!new RegExp(`^${set}:\\s*0+$`, 'm').test(status)) throw new Error(`${set} is not empty`)
    }
  }

  /** Groups first, since only root may set them; the uid last, since after it nothing more may be set. */
  const become = (uid = 0, gid = 0, name = '') => {
    if (!process.setgid || !process.setuid) throw new Error('users cannot be changed on this system')
    initgroups(name, gid)
    process.setgid(gid)
    process.setuid(uid)
    const ids = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()]
    if (ids.join() !== [uid, uid, gid, gid].join()) throw new Error(`the ids are ${ids.join()}`)
    if (!process.getgroups?.().includes(gid)) throw new Error('the groups lack the primary one')
    // A job of root itself has nothing to give up.
    if (uid === 0) return
    mustBeRefused('setuid(0)', () => process.setuid?.(0))
    mustBeRefused('seteuid(0)', () => process.seteuid?.(0))
    if (gid !== 0) mustBeRefused('setgid(0)', () => process.setgid?.(0))
    mustBeRefused('initgroups', () => initgroups(name, gid))
    verifyCapabilities()
  }

  /** What loads next, as `file:` URLs or paths: our own folder's program, and in a clone the TypeScript loader. */
  const verifyCode = (name = '') => {
    const loaders = process.execArgv.filter((argument) => argument.startsWith('file:')).map((url) => new URL(url))
    for (const file of [...loaders, process.argv[1] ?? '']) {
      try {
        fs.accessSync(file, fs.constants.R_OK)
      } catch (error) {
        end(83, `the user ${name} cannot read the code of the service, which must lie where every user can: ${error}`)
      }
    }
  }

  /** prctl(2) PR_SET_NO_NEW_PRIVS, so that no program run for the owner gains rights; by setrlimit(2) no core dumps, and not more
   * descriptors than transfers can need: the hard limit of the broker is not meant for users. */
  const harden = () => {
    if (process.platform !== 'linux') return
    try {
      const self = process.execArgv.find((argument) => /worker-start\.[jt]s$/.test(argument)) ?? ''
      const libc = createRequire(self)('koffi').load(null)
      const prctl = libc.func('int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)')
      const setrlimit = libc.func('int setrlimit(int resource, const void *limit)')
      const getrlimit = libc.func('int getrlimit(int resource, void *limit)')
      const openFiles = new BigUint64Array(2)
      if (prctl(38, 1, 0, 0, 0) !== 0 || setrlimit(4, new Uint8Array(16)) !== 0 || getrlimit(7, openFiles) !== 0) throw new Error('the kernel refused')
      if ((openFiles[1] ?? 0n) > 8192n && setrlimit(7, new BigUint64Array([8192n, 8192n])) !== 0) throw new Error('the kernel refused')
    } catch (error) {
      // A second wall, not the first: the rights are given up already. It must be seen, and must not stop jobs.
      fs.writeSync(2, `this worker could not forbid itself new privileges: ${error}\n`)
    }
  }

  const start = () => {
    // Before the owner may send us signals: Node would open its debugger on SIGUSR1, on a port that every user of the machine can reach.
    process.on('SIGUSR1', () => {})
    const given = process.argv.indexOf('--as', 2)
    if (given > 0) {
      const [, uid = '', gid = '', name = ''] = /^(\d{1,10}):(\d{1,10}):([^:\0]+)$/.exec(process.argv[given + 1] ?? '') ?? []
      if (name === '') return end(81, '--as wants uid:gid:name')
      try {
        become(Number(uid), Number(gid), name)
      } catch (error) {
        end(82, `cannot become the user ${name}: ${error}`)
      }
      verifyCode(name)
      // The owner's own mask is not known; a worker that stays who it is has it already. Published files get 0666 less this.
      process.umask(0o022)
    }
    process.chdir('/')
    harden()
  }

  // The loader's thread runs preloaded files again. By then this thread has made the process what it must be.
  if (isMainThread) start()
}
