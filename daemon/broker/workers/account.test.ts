import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { accountFromFile, groupIdFromFile, systemUidMaximum } from './account-files.ts'
import { accountFromSystem, groupIdFromSystem } from './account-system.ts'
import { accountOf, groupIdOf, memberOf } from './account.ts'

const onlyRoot = process.getuid?.() === 0 ? false : 'needs root to make a user'
const notOnWindows = process.platform === 'win32' ? 'no such databases' : false

function fileWith(context: TestContext, content: string): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'backhaul-account-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'file')
  writeFileSync(file, content)
  return file
}

test('the account of this process is what the system says it is', { skip: notOnWindows }, async () => {
  const { uid, gid, username, homedir } = os.userInfo()
  const account = await accountOf(uid)
  assert.deepEqual([account?.uid, account?.gid, account?.name, account?.home], [uid, gid, username, homedir])
})

const onlyLinux = process.platform === 'linux' ? false : 'the files are not the whole truth'
test('the files and the system agree about every user and group in the files', { skip: onlyLinux }, async () => {
  for (const line of readFileSync('/etc/passwd', 'utf8').trim().split('\n')) {
    const uid = Number(line.split(':')[2])
    assert.deepEqual(await accountOf(uid), accountFromFile(uid))
  }
  for (const line of readFileSync('/etc/group', 'utf8').trim().split('\n')) {
    const name = line.split(':')[0] ?? ''
    assert.equal(await groupIdOf(name), groupIdFromFile(name))
  }
})

test('a uid and a group name that nobody has are null', { skip: notOnWindows }, async () => {
  assert.equal(await accountOf(3_999_999_999), null)
  assert.equal(await groupIdOf('no-such-group-here'), null)
})

test('a user made after he was asked for is found', { skip: onlyRoot }, async () => {
  const name = `bhacc${process.pid}`
  const uid = 200_000 + process.pid % 100_000
  assert.equal(await accountOf(uid), null)
  execFileSync('useradd', ['--no-create-home', '--uid', String(uid), '--user-group', '--home-dir', '/nowhere', '--shell', '/bin/sh', name])
  try {
    const gid = await groupIdOf(name)
    assert.deepEqual(await accountOf(uid), { uid, gid, name, home: '/nowhere', shell: '/bin/sh' })
  } finally {
    execFileSync('userdel', [name], { stdio: 'ignore' })
  }
})

test('an entry that does not fit in the first buffer is read with a larger one', { skip: notOnWindows }, async () => {
  const uid = process.getuid?.() ?? -1
  assert.deepEqual(await accountFromSystem(uid, 1), await accountOf(uid))
  assert.equal(await groupIdFromSystem('no-such-group-here', 1), null)
})

test('membership is a group that exists, is named, and is held', { skip: notOnWindows }, async () => {
  const gid = process.getgid?.() ?? -1
  const own = readFileSync('/etc/group', 'utf8').split('\n').find((line) => line.split(':')[2] === String(gid))?.split(':')[0] ?? ''
  assert.equal(await memberOf([gid], ['no-such-group-here', own]), true)
  assert.equal(await memberOf([gid + 1_000_000], [own]), false)
  assert.equal(await memberOf([gid], ['no-such-group-here']), false)
  assert.equal(await memberOf([], [own]), false)
})

test('the highest uid of a service is read as login.defs writes numbers, and 999 where it is silent', (context) => {
  assert.equal(systemUidMaximum('/no/such/file'), 999)
  assert.equal(systemUidMaximum(fileWith(context, '#SYS_UID_MAX\t\t  700\n')), 999)
  assert.equal(systemUidMaximum(fileWith(context, 'UID_MIN 1000\n  SYS_UID_MAX\t499 \n')), 499)
  assert.equal(systemUidMaximum(fileWith(context, 'SYS_UID_MAX 0x1f4\n')), 500)
  assert.equal(systemUidMaximum(fileWith(context, 'SYS_UID_MAX 0764\n')), 500)
  assert.equal(systemUidMaximum(fileWith(context, 'SYS_UID_MAX many\n')), 999)
})

test('lines of the files that have another form are passed over', (context) => {
  const file = fileWith(context, '\n+::::::\nbroken:x:12\nbad:x:7x:7::/h:/s\nann:x:7:8:Ann:/home/ann:\n')
  assert.deepEqual(accountFromFile(7, file), { uid: 7, gid: 8, name: 'ann', home: '/home/ann' })
  assert.equal(accountFromFile(12, file), null)
})
