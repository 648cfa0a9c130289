// The store as the queue sees it.
import type { StoredEvent } from '../core/event.ts'
import type { JobRecord } from '../core/job.ts'
import type { Operation } from './store/store.ts'

/** What the queue needs of the store: it makes the operations, the store only writes them. */
export interface QueueStore {
  commit(operations: readonly Operation[]): Promise<void>
  jobOperations(before: JobRecord | null, after: JobRecord): Operation[]
  eventOperations(event: StoredEvent): Operation[]
  acknowledgeOperation(sequence: number): Operation
  sequenceOperation(reservedUpTo: number): Operation
  /** The id of the job that the token made, where it has ended and is in the history. */
  findToken(ownerId: string, token: string): Promise<string | null>
}
