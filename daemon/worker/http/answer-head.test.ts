import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headLength, hideContinue, hideLength, isHttp2, isInterim, tidyHead } from './answer-head.ts'

const plain = 'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 0123\r\n\r\n'

test('a head ends at its empty line, and what can be none is not waited for', () => {
  assert.equal(headLength(Buffer.from(`${plain}body\n\n`)), plain.length)
  assert.equal(headLength(Buffer.from('HTTP/1.1 200 OK\nA: b\n\nbody\r\n\r\n')), 22)
  assert.equal(headLength(Buffer.from('HTTP/1.1 200 OK\nA: b\n\r\nbody\n\n')), 23)
  for (let count = 1; count < plain.length; count++) assert.equal(headLength(Buffer.from(plain.slice(0, count))), null, plain.slice(0, count))
  assert.equal(headLength(Buffer.from('HTTQ')), 4)
  assert.equal(headLength(Buffer.from(`HTTP/1.1 200 OK\r\n${'x'.repeat(64 * 1024)}`)), 17 + 64 * 1024)
})

test('an interim answer is one that begins with 1, and 100 becomes 102', () => {
  const head = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')
  assert.equal(isInterim(head), true)
  hideContinue(head)
  assert.equal(head.toString(), 'HTTP/1.1 102 Continue\r\n\r\n')
  assert.equal(isInterim(Buffer.from(plain)), false)
})

test('a plain length is told and hidden', () => {
  const heads: readonly (readonly [head: string, length: number, hidden: string])[] = [
    [plain, 123, 'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 0000\r\n\r\n'],
    ['HTTP/1.0 206 Part\r\ncontent-LENGTH:7\t\r\n\r\n', 7, 'HTTP/1.0 206 Part\r\ncontent-LENGTH:0\t\r\n\r\n'],
    ['HTTP/1.1 200\r\nContent-Length: 20\r\nX-Age: 20\r\n\r\n', 20, 'HTTP/1.1 200\r\nContent-Length: 00\r\nX-Age: 20\r\n\r\n'],
  ]
  for (const [text, length, hidden] of heads) {
    const head = Buffer.from(text)
    assert.equal(hideLength(head), length, text)
    assert.equal(head.toString(), hidden)
  }
})

test('a head about which there can be two opinions is left alone', () => {
  const heads = [
    plain.replace('200', '404'), plain.replace('200', '2000'), plain.replace('HTTP/1.1', 'HTTP/2.0'), plain.replace('0123', '0'), plain.replace('0123', '-1'), plain.replace('0123', '0x1'),
    plain.replace('0123', '1, 1'), plain.replace('0123', '1'.repeat(16)), plain.replace('0123', ''), plain.replace('Content-Length', 'X-Length'),
    plain.replace('Server: x', 'Content-Length: 0123'), plain.replace('Server: x', 'Transfer-Encoding: chunked'), plain.replace('Server: x', 'transfer-encoding : x'),
    plain.replace('Server: x', 'Content-Length-Too: 1'), plain.replace('0123', '1\r\n 23'), plain.replace('0123', '1\r\n\t23'), plain.replace('Server: x\r\n', 'Server: x\n'),
    plain.replace('Server: x', 'Server: \rx'), plain.replace('Content-Length:', 'Content-Length :'), `${plain}more`,
  ]
  for (const text of heads) {
    const head = Buffer.from(text)
    assert.equal(hideLength(head), null, JSON.stringify(text))
    assert.equal(head.toString(), text)
  }
})

test('lines that end or are folded as of old, and a length told several times, are written anew', () => {
  const heads: readonly (readonly [head: string, tidy: string])[] = [
    [plain, plain],
    ['HTTP/1.1 200 OK\nA: b\n\n', 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\nA: b\nC: d\n\r\n', 'HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\t  d \r\nE: f\r\n\r\n', 'HTTP/1.1 200 OK\r\nA: b c d\r\nE: f\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\ncontent-length: 5,5\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\n'],
  ]
  for (const [head, tidy] of heads) assert.equal(tidyHead(Buffer.from(head)).toString(), tidy)
})

test('what contradicts itself, and a fold of nothing, stay as they are', () => {
  for (const lines of ['Content-Length: 5, 6', 'Content-Length: 5\r\nContent-Length: 6', 'Content-Length: 5,', 'Content-Length: +5, +5', ' A: b']) {
    const head = `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n`
    assert.equal(tidyHead(Buffer.from(head)).toString(), head)
  }
})

test('HTTP/2 is known by the frame of settings that it begins with', () => {
  assert.equal(isHttp2(Buffer.from('000012040000000000000300000064', 'hex')), true)
  assert.equal(isHttp2(Buffer.from('000000040100000000', 'hex')), true)
  for (const text of [plain, '', 'nonsense and more of it']) assert.equal(isHttp2(Buffer.from(text)), false)
})
