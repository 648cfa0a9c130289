// What npm runs after it installed into a clone, and before it packs or links this folder. Plain JavaScript, as it links the
// programs before anything else may go wrong. It must not fail in a clone: both programs run without what is built here.
// Invariant: a clone holds no dist/backhaul.js, so npx, which would set its permissions (only its owner may), passes it over and
// finds the link made here. Packing and linking build that file, because then there is no other program.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const command = process.env.npm_command

if (command !== 'exec') { // npx: somebody runs a program, perhaps in a clone that is not theirs
  linkPrograms()
  const cloneOnly = isInstallInto(root)
  const status = build(cloneOnly ? ['--sdk'] : [])
  if (status !== 0) {
    process.stderr.write(cloneOnly
      ? "backhaul: dist/ was not built, so `import 'backhaul'` will not be found; the programs run all the same\n"
      : `backhaul: not built; run \`npm ci\` in ${root} first\n`)
    process.exitCode = cloneOnly ? 0 : 1
  }
}

function isInstallInto(folder) {
  if (process.env.npm_config_global === 'true') return false
  if (command !== undefined && command !== 'ci' && command !== 'install') return false
  const inside = relative(folder, process.env.INIT_CWD ?? folder)
  return inside === '' || !inside.startsWith('..')
}

function linkPrograms() {
  const folder = join(root, 'node_modules', '.bin')
  mkdirSync(folder, { recursive: true })
  for (const [name, file] of [['backhaul', 'client-sdk/cli/backhaul.js'], ['backhauld', 'daemon/backhauld.js']]) {
    if (process.platform === 'win32') {
      writeFileSync(join(folder, `${name}.cmd`), `@node "%~dp0\\..\\..\\${file.replaceAll('/', '\\')}" %*\r\n`)
      continue
    }
    rmSync(join(folder, name), { force: true })
    symlinkSync(join('..', '..', file), join(folder, name))
  }
}

function build(args) {
  return spawnSync(process.execPath, ['--import', 'tsx', 'scripts/build.ts', ...args], { cwd: root, stdio: 'inherit' }).status
}
