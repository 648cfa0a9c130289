import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configurationFile, socketCandidates, socketPath, stateFolder, type Surroundings } from './address.ts'

const linux: Surroundings = { platform: 'linux', environment: {}, uid: 1000, userName: '1000', home: '/home/ann', temporaryFolder: '/tmp' }
const xdg: Surroundings = { ...linux, environment: { XDG_RUNTIME_DIR: '/run/user/1000', XDG_STATE_HOME: '/s', XDG_CONFIG_HOME: '/c' } }
const windows: Surroundings = { ...linux, platform: 'win32', uid: null, userName: 'ann', home: 'C:\\Users\\ann' }

test('system mode has fixed places', () => {
  assert.deepEqual([socketPath('system', xdg), stateFolder('system', xdg), configurationFile('system', xdg)], ['/run/backhaul/backhaul.sock', '/var/lib/backhaul', '/etc/backhaul/config.toml'])
})

test('user mode follows the XDG variables, and has places where they are not set or empty', () => {
  assert.deepEqual([socketPath('user', xdg), stateFolder('user', xdg), configurationFile('user', xdg)], ['/run/user/1000/backhaul/backhaul.sock', '/s/backhaul', '/c/backhaul/config.toml'])
  const bare = ['/tmp/backhaul-1000/backhaul.sock', '/home/ann/.local/state/backhaul', '/home/ann/.config/backhaul/config.toml']
  assert.deepEqual([socketPath('user', linux), stateFolder('user', linux), configurationFile('user', linux)], bare)
  const empty = { ...linux, environment: { XDG_RUNTIME_DIR: '', XDG_STATE_HOME: '', XDG_CONFIG_HOME: '' } }
  assert.deepEqual([socketPath('user', empty), stateFolder('user', empty), configurationFile('user', empty)], bare)
})

test('on Windows there are pipes', () => {
  assert.deepEqual([socketPath('system', windows), socketPath('user', windows)], ['\\\\.\\pipe\\backhaul', '\\\\.\\pipe\\backhaul-ann'])
})

test('a client tries the socket that is named and no other, else the user\'s, else the system\'s', () => {
  assert.deepEqual(socketCandidates(xdg), ['/run/user/1000/backhaul/backhaul.sock', '/run/backhaul/backhaul.sock'])
  assert.deepEqual(socketCandidates({ ...xdg, environment: { ...xdg.environment, BACKHAUL_SOCKET: '/x' } }), ['/x'])
})
