// One job moving, drawn on a terminal: a bar with rate and time to go, redrawn by cli-progress at most five times a
// second. Where stderr is no terminal there is no bar; only failures that are waited out are told, each reason once.
import { SingleBar } from 'cli-progress'
import type { Job } from '../../protocol/job.ts'
import { harmless, percentage, rate, retryTime, shortened, size, span, whyWaiting } from './print.ts'

export interface ProgressLine {
  show(job: Job): void
  /** A line of its own, above what moves. */
  say(text: string): void
  close(): void
}

export function openProgress(stream: NodeJS.WriteStream, remark: (text: string) => void): ProgressLine {
  return stream.isTTY && process.env['TERM'] !== 'dumb' ? openBar(stream) : tellWaits(remark)
}

function openBar(stream: NodeJS.WriteStream): ProgressLine {
  let latest: Job | null = null
  const bar = new SingleBar({
    stream: withoutReturn(stream),
    format: () => latest ? progressText(latest, stream.columns || 80) : '',
    fps: 5,
    hideCursor: true,
    clearOnComplete: true,
    // Ctrl-C is ours: it must say how to come back.
    gracefulExit: false,
    linewrap: null,
    emptyOnZero: true,
  })
  const close = (): void => {
    if (latest !== null) bar.stop()
    latest = null
  }
  return {
    show(job) {
      const isFirst = latest === null
      latest = job
      if (isFirst) bar.start(1, 0)
      else bar.update(0)
    },
    say(text) {
      close()
      stream.write(`${text}\n`)
    },
    close,
  }
}

/** In the end the package goes back to where its bar began, which is another line once the shell wrote some (Ctrl-Z). */
function withoutReturn(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  const same: NodeJS.WriteStream = Object.create(stream)
  const isPosition = (text: unknown): boolean => text === '\u001b7' || text === '\u001b8'
  return Object.assign(same, { write: (text: string | Uint8Array) => isPosition(text) || stream.write(text) })
}

function tellWaits(remark: (text: string) => void): ProgressLine {
  let told = ''
  return {
    show(job) {
      const reason = job.error?.message ?? 'the transfer failed'
      if (job.state !== 'transient-error' || reason === told) return
      told = reason
      remark(harmless(`${retryTime(job)}: ${reason}`))
    },
    say: remark,
    close() {},
  }
}

/** One line, at most `columns` wide: what is moving, how far, how fast, how long still. */
export function progressText(job: Job, columns: number): string {
  const { bytesTotal, bytesTransferred, bytesPerSecond, filesTotal, filesTransferred } = job.progress
  const far = bytesTotal === null ? size(bytesTransferred) : `${size(bytesTransferred)} of ${size(bytesTotal)}`
  const files = filesTotal > 1 ? `${filesTransferred}/${filesTotal} files` : ''
  const isMoving = job.state === 'transferring' && bytesPerSecond > 0
  const toGo = isMoving && bytesTotal !== null ? `${span((bytesTotal - bytesTransferred) / bytesPerSecond)} to go` : ''
  const now = job.state === 'transferring' ? [rate(bytesPerSecond), toGo] : [stateText(job)]
  const facts = [percentage(job.progress), far, files, ...now].filter((fact) => fact !== '').join('  ')
  const room = columns - 1
  const name = harmless(job.displayName)
  const barWidth = Math.min(30, room - facts.length - Math.min(name.length, 24) - 6)
  const bar = barWidth >= 8 && bytesTotal !== null && bytesTotal > 0 ? `[${filled(bytesTransferred / bytesTotal, barWidth)}]  ` : ''
  const nameRoom = room - facts.length - bar.length - 2
  const shown = nameRoom >= 6 ? `${shortened(name, nameRoom)}  ` : ''
  return `${shown}${bar}${facts}`.slice(0, room)
}

function stateText(job: Job): string {
  const why = harmless(whyWaiting(job))
  if (job.state === 'transient-error') return why || 'waiting for retry'
  return why ? `${job.state} (${why})` : job.state
}

function filled(part: number, width: number): string {
  const count = Math.round(Math.min(1, Math.max(0, part)) * width)
  return '#'.repeat(count) + '-'.repeat(width - count)
}
