// The check of the imports, run on trees made for it: each thing it must notice, and that it passes what is right.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { judgeImports } from './imports.ts'

function inTree<Result>(files: Record<string, string>, look: (root: string) => Result): Result {
  const root = mkdtempSync(join(tmpdir(), 'backhaul-test-imports-'))
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), content)
    }
    return look(root)
  } finally {
    rmSync(root, { recursive: true })
  }
}

/** Checks one file that lies among a few others; the complaints are about it. */
function complaintsAbout(file: string, content: string): string[] {
  const others = {
    'protocol/job.ts': 'export {}\n', 'client-sdk/index.ts': 'export {}\n', 'client-sdk/cli/main.ts': 'export {}\n',
    'daemon/core/job.ts': 'export {}\n', 'daemon/link/messages.ts': 'export {}\n', 'daemon/log.ts': 'export {}\n',
    'daemon/config.ts': 'export {}\n', 'daemon/worker-main.ts': 'export {}\n', 'daemon/worker/download.ts': 'export {}\n',
    'daemon/broker/queue.ts': 'export {}\n', 'daemon/broker/store/store.ts': 'export {}\n',
    'daemon/broker/store/level-store.ts': 'export {}\n',
    'daemon/broker/workers/pool.ts': 'export {}\n', 'daemon/broker/methods/create-job.ts': 'export {}\n',
  }
  return inTree({ ...others, [file]: content }, judgeImports)
}

const refused: readonly (readonly [file: string, content: string, named: string])[] = [
  ['protocol/a.ts', "import { connect } from 'node:net'\n", 'node:net'],
  ['protocol/a.ts', "import '../daemon/core/job.ts'\n", 'daemon/core/job.ts'],
  ['protocol/a.ts', "import 'json-rpc-2.0'\n", 'json-rpc-2.0'],
  ['client-sdk/a.ts', "export * from './cli/main.ts'\n", 'client-sdk/cli/main.ts'],
  ['client-sdk/a.ts', "import 'commander'\n", 'commander'],
  ['client-sdk/a.ts', "export const load = () => import('../daemon/core/job.ts')\n", 'daemon/core/job.ts'],
  ['daemon/core/a.ts', "import type { Socket } from 'node:net'\n", 'node:net'],
  ['daemon/core/a.ts', 'export const now = () => Date.now()\n', 'Date.now'],
  ['daemon/core/a.ts', 'export const chance = () => Math.random()\n', 'Math.random'],
  ['daemon/core/a.ts', "import 'zod'\n", 'zod'],
  ['daemon/worker/a.ts', "import '../core/job.ts'\n", 'daemon/core/job.ts'],
  ['daemon/worker/a.ts', "type Queue = typeof import('../broker/queue.ts')\nexport type { Queue }\n", 'daemon/broker/queue.ts'],
  ['daemon/worker/http/a.ts', "import '../download.ts'\n", 'daemon/worker/download.ts'],
  ['daemon/broker/queue.ts', "import './store/level-store.ts'\n", 'daemon/broker/store/level-store.ts'],
  ['daemon/broker/store/a.ts', "import '../workers/pool.ts'\n", 'daemon/broker/workers/pool.ts'],
  ['daemon/broker/methods/a.ts', "import '../store/store.ts'\n", 'daemon/broker/store/store.ts'],
  ['daemon/broker/a.ts', "import './methods/create-job.ts'\n", 'daemon/broker/methods/create-job.ts'],
  ['daemon/broker/a.ts', "import '../config.ts'\n", 'daemon/config.ts'],
  ['daemon/broker/a.ts', "import 'undici'\n", 'undici'],
  ['daemon/broker/rpc/a.ts', "import 'level'\n", 'level'],
  ['daemon/worker/a.ts', "import 'pino'\n", 'pino'],
  ['daemon/worker-start.ts', "import './log.ts'\n", 'daemon/log.ts'],
  ['daemon/main.ts', "import '../client-sdk/index.ts'\n", 'client-sdk/index.ts'],
  ['scripts/a.ts', "import '../daemon/config.ts'\n", 'daemon/config.ts'],
  ['daemon/main.ts', "import 'left-pad'\n", 'left-pad'],
  ['daemon/main.ts', "import 'fs'\n", 'fs'],
  ['daemon/main.ts', "import './log'\n", 'daemon/log'],
  ['daemon/main.ts', "import './absent.ts'\n", 'daemon/absent.ts'],
  ['daemon/broker/attic/a.ts', 'export {}\n', 'fits no row'],
  ['daemon/main.ts', '// line\n'.repeat(251), '251 lines'],
]

test('each import that the table does not allow, and each file that is too long, is named', () => {
  for (const [file, content, named] of refused) {
    const complaints = complaintsAbout(file, content)
    assert.equal(complaints.length, 1, `${file}: ${content}${complaints.join('\n')}`)
    assert.ok(complaints[0]?.startsWith(file) && complaints[0].includes(named), complaints[0])
  }
})

test('what the table allows passes', () => {
  const complaints = inTree({
    'protocol/job.ts': "import { z } from 'zod'\nexport { z }\n",
    'client-sdk/index.ts': "import { connect } from 'node:net'\nexport * from '../protocol/job.ts'\nexport { connect }\n",
    'client-sdk/cli/main.ts': "import 'commander'\nimport '../index.ts'\n",
    'daemon/core/job.ts': "// Date.now() is not for us\nimport '../../protocol/job.ts'\nexport const at = (now: number) => new Date(now)\n",
    'daemon/broker/queue.ts': "import '../core/job.ts'\nimport './store/store.ts'\nimport '../log.ts'\n",
    'daemon/broker/queue.test.ts': `import './queue.ts'\nimport '../../client-sdk/index.ts'\n${'// line\n'.repeat(300)}`,
    'daemon/broker/store/store.ts': 'export {}\n',
    'daemon/log.ts': "import 'pino'\n",
    'daemon/main.ts': "import './broker/queue.ts'\nimport './log.ts'\n",
    'scripts/dev.ts': "import '../client-sdk/index.ts'\n",
  }, judgeImports)
  assert.deepEqual(complaints, [])
})

test('a circle of imports is named once, types included', () => {
  const complaints = inTree({
    'protocol/a.ts': "import './b.ts'\n",
    'protocol/b.ts': "import type {} from './c.ts'\n",
    'protocol/c.ts': "export * from './a.ts'\n",
  }, judgeImports)
  assert.deepEqual(complaints, ['a circle of imports: protocol/a.ts → protocol/b.ts → protocol/c.ts → protocol/a.ts'])
})

test('the command fails when there is something to complain about or nothing to look at, and passes otherwise', () => {
  const run = (root: string) => spawnSync(process.execPath, ['--import', 'tsx', 'scripts/check-imports.ts', '--root', root], {
    cwd: resolve(import.meta.dirname, '..'), encoding: 'utf8',
  })
  const bad = inTree({ 'protocol/a.ts': "import 'node:net'\n" }, run)
  assert.equal(bad.status, 1)
  assert.match(bad.stderr, /^protocol\/a\.ts imports node:net: /)
  assert.equal(inTree({ 'README.md': '' }, run).status, 1)
  assert.equal(inTree({ 'protocol/a.ts': 'export {}\n' }, run).status, 0)
})
