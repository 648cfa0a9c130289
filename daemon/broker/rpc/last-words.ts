// Ends a connection so that what was written last arrives: a socket that is closed while it holds unread bytes resets the connection,
// and the other side then loses what it was told. So what still comes is taken and dropped, for a moment.
import type net from 'node:net'

const momentMs = 2000
/** So many at a time; who comes then is cut off without a word. */
const atOnce = 2048
let lingering = 0

export function endWithWords(socket: net.Socket, words = ''): void {
  if (socket.destroyed) return
  if (lingering >= atOnce) return void socket.destroy()
  lingering++
  const timer = setTimeout(() => socket.destroy(), momentMs)
  socket.once('close', () => {
    lingering--
    clearTimeout(timer)
  })
  socket.removeAllListeners('data')
  socket.on('data', () => {})
  socket.once('end', () => socket.destroySoon())
  if (socket.readableEnded) socket.destroySoon()
  else socket.end(words).resume()
}
