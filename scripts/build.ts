// Compiles what is installed or published: the client SDK, the two programs and the worker, with the SDK's type declarations.
// From a clone nothing but the SDK needs this. Packages stay imports; with --bundle-packages they are taken in, and the native
// ones are copied beside, so that the folder runs by itself.
// Invariant: the output folder is never emptied, only what an earlier build left in it is replaced.
import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { packageVersion } from '../protocol/version.ts'
import { copyPackages } from './copy-packages.ts'

const root = resolve(import.meta.dirname, '..')

/** Packages with compiled code inside: they cannot be taken into a bundle. */
const nativePackages = ['koffi', 'classic-level']

// Packages in the older module format call `require`, which the newer one does not have.
const requireForCommonJs = `import { createRequire as backhaulCreateRequire } from 'node:module'
const require = backhaulCreateRequire(import.meta.url)`

const programs = {
  backhaul: `#!/usr/bin/env node
import { followNpx } from './scripts/launch.js'
import { main } from './client-sdk/cli/main.ts'
followNpx('SIGINT')
process.exitCode = await main(process.argv.slice(2))`,
  backhauld: `#!/usr/bin/env node
import './scripts/no-debugger.js'
import { followNpx } from './scripts/launch.js'
import { main } from './daemon/main.ts'
followNpx('SIGTERM')
await main(process.argv.slice(2))`,
}

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'dist') },
    sdk: { type: 'boolean', default: false },
    'bundle-packages': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(`npm run build -- [--out DIR] [--sdk] [--bundle-packages]

  --out DIR          where to (default: dist)
  --sdk              only the client SDK and its types
  --bundle-packages  a folder that runs by itself: no npm install beside it`)
} else {
  await compile(resolve(values.out), { onlySdk: values.sdk, bundlePackages: values['bundle-packages'] })
}

async function compile(out: string, options: { readonly onlySdk: boolean; readonly bundlePackages: boolean }): Promise<void> {
  await mkdir(out, { recursive: true })
  await removeEarlierBuild(out)
  await build({
    absWorkingDir: root,
    entryPoints: options.onlySdk ? { index: 'client-sdk/index.ts' } : {
      index: 'client-sdk/index.ts',
      backhaul: 'program:backhaul',
      backhauld: 'program:backhauld',
      'worker-start': 'daemon/worker-start.ts',
      'worker-main': 'daemon/worker-main.ts',
      'hash-thread': 'daemon/worker/hash/hash-thread.js',
    },
    outdir: out,
    bundle: true,
    splitting: true,
    chunkNames: 'chunk-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20.18',
    logLevel: 'warning',
    ...(options.bundlePackages ? { external: nativePackages, banner: { js: requireForCommonJs } } : { packages: 'external' }),
    plugins: [{
      name: 'programs',
      setup(build) {
        build.onResolve({ filter: /^program:/ }, ({ path }) => ({ path: path.slice('program:'.length), namespace: 'program' }))
        build.onLoad({ filter: /.*/, namespace: 'program' }, ({ path }) => ({
          contents: programs[path as keyof typeof programs], loader: 'ts', resolveDir: root,
        }))
      },
    }],
  })
  if (!options.onlySdk) for (const name of Object.keys(programs)) await chmod(join(out, `${name}.js`), 0o755)
  if (options.bundlePackages) {
    await copyPackages({ names: nativePackages, from: root, to: out })
    await writeFile(join(out, 'package.json'), JSON.stringify({ name: 'backhaul', version: packageVersion, private: true, type: 'module' }))
  } else {
    await emitTypes(out)
  }
}

async function removeEarlierBuild(out: string): Promise<void> {
  const names = (await readdir(out)).filter((name) => /^(chunk-\w+|index|backhauld?|worker-(start|main)|hash-thread)\.js$/.test(name))
  for (const name of names) await rm(join(out, name))
}

async function emitTypes(out: string): Promise<void> {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  await rm(join(out, 'types'), { recursive: true, force: true })
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'scripts/tsconfig.types.json', '--outDir', join(out, 'types')], {
    cwd: root, stdio: 'inherit',
  })
  if (status !== 0) throw new Error('the type declarations could not be made')
}
