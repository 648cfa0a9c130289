// Which reports are acceptable in which phase of a transfer. A worker may be its owner's own program: one that says
// what makes no sense is ended, and its transfers fail as transient.
import type { ReportName } from './messages.ts'

/** ordered: told to start · running: its answer is judged · received: all bytes are here, not flushed yet · ended */
export type Phase = 'ordered' | 'running' | 'received' | 'ended'

type TransferReport = Extract<ReportName, `transfer.${string}`>

const next = {
  'ordered': {
    'transfer.connected': 'running', 'transfer.received': 'received',
    'transfer.done': 'ended', 'transfer.failed': 'ended', 'transfer.stopped': 'ended',
  },
  'running': {
    // A redirect or a changed remote file makes a worker begin anew within one attempt.
    'transfer.connected': 'running', 'transfer.progress': 'running', 'transfer.checkpoint': 'running',
    'transfer.received': 'received', 'transfer.done': 'ended', 'transfer.failed': 'ended', 'transfer.stopped': 'ended',
  },
  'received': { 'transfer.checkpoint': 'received', 'transfer.done': 'ended', 'transfer.failed': 'ended', 'transfer.stopped': 'ended' },
  'ended': {},
} as const satisfies Record<Phase, Partial<Record<TransferReport, Phase>>>

/** The phase after the report, or `null` where it is not acceptable. */
export function phaseAfter(phase: Phase, report: TransferReport): Phase | null {
  const table: Partial<Record<TransferReport, Phase>> = next[phase]
  return table[report] ?? null
}
