import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { serviceUnit, socketUnit } from './linux.ts'
import { mark } from './plan.ts'
import { servicePlan } from './platform.ts'

const program = resolve(import.meta.dirname, '..', 'backhaul.js')
const onlyRoot = process.getuid?.() === 0 && process.platform === 'linux' ? false : 'needs root on Linux'
let folder = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'backhaul-service-'))
})

after(() => rmSync(folder, { recursive: true }))

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [program, 'service', ...args], { encoding: 'utf8' })
}

test('the unit starts what it was told, with names quoted as systemd reads them', () => {
  const text = serviceUnit({ node: '/usr/bin/node', program: '/a b/100%/x"y' })
  assert.match(text, /^ExecStart=\/usr\/bin\/node "\/a b\/100%%\/x\\"y" --mode system$/m)
  assert.doesNotMatch(text, /LoadCredential|undefined/)
  assert.match(serviceUnit({ node: 'n', program: 'p', key: '/etc/k' }), /^LoadCredential=backhaul\.key:\/etc\/k$/m)
})

test('systemd finds nothing wrong with the units', { skip: spawnSync('systemd-analyze', ['--version']).status !== 0 && 'systemd-analyze is not installed' }, () => {
  const units = { 'backhaul.service': serviceUnit({ node: process.execPath, program: '/bin/true' }), 'backhaul.socket': socketUnit() }
  for (const [name, text] of Object.entries(units)) writeFileSync(join(folder, name), text)
  const names = Object.keys(units).map((name) => join(folder, name))
  // It exits with 0 also where it complains.
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...names], { encoding: 'utf8' })
  assert.equal(stderr, '')
  const { status, stdout } = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=40', '--no-pager', join(folder, 'backhaul.service')], { encoding: 'utf8' })
  assert.equal(status, 0, stdout.split('\n').at(-2))
})

test('every platform has a plan whose files carry the mark, and what stops it', () => {
  for (const platform of ['linux', 'darwin', 'win32']) {
    const plan = servicePlan({ node: '/n', program: '/p & q' }, platform)
    assert.ok(plan && plan.files.length > 0 && plan.start.length > 0 && plan.stop.length > 0)
    for (const { text } of plan.files) assert.ok(text.split('\n', 3).some((line) => line.includes(mark)))
  }
  assert.match(servicePlan({ node: '/n', program: '/p & q' }, 'darwin')?.files[0]?.text ?? '', /<string>\/p &amp; q<\/string>/)
  assert.equal(servicePlan({ node: '/n', program: '/p' }, 'aix'), null)
})

test('--print shows the units and writes nothing', () => {
  const { status, stdout } = run('install', '--print', '--root', folder)
  assert.equal(status, 0)
  assert.match(stdout, /^# \/etc\/systemd\/system\/backhaul\.service$/m)
  assert.ok(!existsSync(join(folder, 'etc')))
})

test('installing and removing below another root leaves nothing of ours', { skip: onlyRoot }, () => {
  const root = join(folder, 'root')
  const units = join(root, 'etc', 'systemd', 'system')
  assert.equal(run('install', '--root', root).status, 0)
  assert.deepEqual(readdirSync(units).sort(), ['backhaul.service', 'backhaul.socket'])
  const { stdout } = spawnSync(process.execPath, [join(root, 'usr/local/lib/backhaul/backhauld.js'), '--version'], { encoding: 'utf8' })
  assert.match(stdout, /^backhauld \d/)
  assert.match(run('status', '--root', root).stdout, /backhaul\.service {2}as installed/)
  assert.equal(run('install', '--root', root).status, 0)
  assert.equal(run('uninstall', '--root', root).status, 0)
  assert.deepEqual([readdirSync(units), readdirSync(join(root, 'usr/local/lib')), readdirSync(join(root, 'usr/local/bin'))], [[], [], []])
  assert.match(run('uninstall', '--root', root).stdout, /Nothing was installed/)
})

test('what is somebody else\'s is neither overwritten nor removed', { skip: onlyRoot }, () => {
  const root = join(folder, 'other')
  const unit = join(root, 'etc/systemd/system/backhaul.service')
  mkdirSync(join(root, 'etc/systemd/system'), { recursive: true })
  writeFileSync(unit, '[Service]\n')
  for (const action of ['install', 'uninstall']) {
    const { status, stderr } = run(action, '--root', root)
    assert.equal(status, 4)
    assert.match(stderr, /is there already and is not ours; nothing was changed/)
  }
  assert.equal(readFileSync(unit, 'utf8'), '[Service]\n')
  rmSync(unit)
  mkdirSync(join(root, 'usr/local/lib/backhaul'), { recursive: true })
  assert.equal(run('install', '--root', root).status, 4)
  assert.deepEqual(readdirSync(join(root, 'usr/local/lib/backhaul')), [])
})

test('a place that others than root can write is refused before anything is placed', { skip: onlyRoot }, () => {
  const root = join(folder, 'open')
  const lib = join(root, 'usr/local/lib')
  mkdirSync(lib, { recursive: true })
  const refused = (path: string): void => {
    const { status, stderr } = run('install', '--root', root)
    assert.equal(status, 4, stderr)
    assert.ok(stderr.includes(`${path} can be written by others than root`), stderr)
    assert.ok(!existsSync(join(lib, 'backhaul')) && !existsSync(join(root, 'etc')))
  }
  chmodSync(lib, 0o777)
  refused(lib)
  chmodSync(lib, 0o755)
  chownSync(join(root, 'usr'), 65_534, 0)
  refused(join(root, 'usr'))
  chownSync(join(root, 'usr'), 0, 0)
})

test('a node that others than root can replace is refused, also behind a link', { skip: onlyRoot }, () => {
  const theirs = join(folder, 'theirs')
  mkdirSync(theirs)
  copyFileSync(process.execPath, join(theirs, 'node'))
  chownSync(theirs, 65_534, 0)
  symlinkSync(join(theirs, 'node'), join(folder, 'node'))
  for (const node of [join(theirs, 'node'), join(folder, 'node')]) {
    const { status, stderr } = spawnSync(node, [program, 'service', 'install', '--root', join(folder, 'none')], { encoding: 'utf8' })
    assert.equal(status, 4, stderr)
    assert.match(stderr, /can be written by others than root/)
  }
  rmSync(theirs, { recursive: true })
})

test('only root installs', { skip: onlyRoot }, () => {
  const { status } = spawnSync('setpriv', ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, program, 'service', 'install'], { encoding: 'utf8' })
  assert.equal(status, 4)
})
