// What the run of a job needs of the broker.
import type { JobRecord } from '../core/job.ts'
import type { JobClocks } from './job-clocks.ts'
import type { LiveProgress } from './live.ts'
import type { OwnFaults } from './own-faults.ts'
import type { Change } from './queue.ts'

export interface Surroundings<Run> {
  readonly live: LiveProgress
  readonly clocks: JobClocks
  readonly faults: OwnFaults
  readonly filesAtOnce: () => number
  /** A number for a new transfer, whose reports are then routed to the run. */
  readonly nextTransferId: (run: Run) => number
  /** Changes the job in its turn, and again later where the store is full. */
  readonly change: (jobId: string, decide: (job: JobRecord) => Change | null) => Promise<JobRecord | null>
  readonly job: (jobId: string) => JobRecord | null
}
