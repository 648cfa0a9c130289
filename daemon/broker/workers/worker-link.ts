// A running worker, as the broker sees it. It may end at any moment: requests then reject with `connection-closed`.
import type { Orders, ReportName, Reports } from '../../link/messages.ts'

type Requests = { [Name in keyof Orders as Orders[Name]['result'] extends void ? never : Name]: Orders[Name] }
type Notices = { [Name in keyof Orders as Orders[Name]['result'] extends void ? Name : never]: Orders[Name] }

export interface WorkerLink {
  readonly pid: number
  readonly isClosed: boolean
  request<Name extends keyof Requests>(name: Name, params: Requests[Name]['params'], timeoutMs?: number): Promise<Requests[Name]['result']>
  notify<Name extends keyof Notices>(name: Name, params: Notices[Name]['params']): void
  /** Reports that are not about a transfer come here too. Returns a function that takes the listener off. */
  onReport<Name extends ReportName>(name: Name, listener: (report: Reports[Name]) => void): () => void
  /** Called once when the worker has ended, for whatever reason; at once if it already has. */
  onClosed(listener: (reason: string) => void): void
  /** Ends a worker that cannot be believed any more. */
  end(why: string): void
  /** While held the worker is not let go for being idle; call the result to release it. */
  hold(): () => void
}

export interface WorkerSource {
  /**
   * Gives the worker of an owner, started when needed; with `alone`, the id of a job, one that this job shares with no other.
   * Rejects when none can be started.
   */
  workerOf(ownerId: string, alone?: string): Promise<WorkerLink>
}
