// One job with its verbs: what `createJob` and `client.job(id)` return. It holds no state but the id; every verb
// is one call, and says what the daemon says. Ids are not checked here: an unknown one is refused by the daemon.
import type { File, FileSpecSent, Job, JobSettings, JobState, Reason, Validation } from '../protocol/job.ts'
import type { Result } from '../protocol/methods.ts'
import type { Call, CallOptions } from './connection.ts'

export interface WaitOptions {
  /** Default: `transferred`, `error`, `acknowledged`, `cancelled`. */
  readonly states?: readonly JobState[]
  /** Default: no limit. */
  readonly timeoutSeconds?: number
  readonly signal?: AbortSignal
}

export class JobHandle {
  readonly id: string
  readonly #call: Call

  constructor(call: Call, id: string) {
    this.#call = call
    this.id = id
  }

  /** The job as it is now; it can be read for 30 days after it ended. */
  async get(options?: CallOptions): Promise<Job> {
    return (await this.#call('job.get', { jobId: this.id }, options)).job
  }

  /** Adds files, all or none; `localName` is an absolute path. */
  async addFiles(files: readonly FileSpecSent[]): Promise<readonly File[]> {
    return (await this.#call('job.addFiles', { jobId: this.id, files: [...files] })).files
  }

  /** Changes settings; what is left out stays as it is. */
  async update(set: JobSettings): Promise<Job> {
    return (await this.#call('job.update', { jobId: this.id, set })).job
  }

  /** Puts the job into the queue, or lets it try again now. */
  async resume(): Promise<Job> {
    return (await this.#call('job.resume', { jobId: this.id })).job
  }

  async suspend(): Promise<Job> {
    return (await this.#call('job.suspend', { jobId: this.id })).job
  }

  /** Gives the job up and removes what was downloaded. */
  async cancel(): Promise<Job> {
    return (await this.#call('job.cancel', { jobId: this.id })).job
  }

  /** Gives the finished files their local names and ends the job; `partial` says that some were not finished. */
  complete(): Promise<Result<'job.complete'>> {
    return this.#call('job.complete', { jobId: this.id })
  }

  /** Until the job is in one of the states; goes on over reconnects. `timedOut` says that the time was over first. */
  wait({ states, timeoutSeconds, signal }: WaitOptions = {}): Promise<Result<'job.wait'>> {
    const params = { jobId: this.id, ...(states && { states: [...states] }), ...(timeoutSeconds !== undefined && { timeoutSeconds }) }
    return this.#call('job.wait', params, { signal })
  }

  /** Why the job is not moving. */
  async explain(): Promise<readonly Reason[]> {
    return (await this.#call('job.explain', { jobId: this.id })).reasons
  }

  /** Rewrites the start of every matching remote name; answers how many. */
  async replaceRemotePrefix(oldPrefix: string, newPrefix: string): Promise<number> {
    return (await this.#call('job.replaceRemotePrefix', { jobId: this.id, oldPrefix, newPrefix })).replaced
  }

  /** Makes the caller, an admin, the owner. `trustLocalNames`: also where the owner before could not have written the files. */
  async takeOwnership(options: { readonly trustLocalNames?: boolean } = {}): Promise<Job> {
    return (await this.#call('job.takeOwnership', { jobId: this.id, ...options })).job
  }

  /** All files in order, fetched page by page. */
  async *files({ pageSize }: { readonly pageSize?: number } = {}): AsyncGenerator<File, void, undefined> {
    let cursor: string | null = null
    do {
      const page: Result<'file.list'> = await this.#call('file.list', { jobId: this.id, ...(pageSize && { limit: pageSize }), ...(cursor !== null && { cursor }) })
      yield* page.files
      cursor = page.nextCursor
    } while (cursor !== null)
  }

  async file(fileIndex: number): Promise<File> {
    return (await this.#call('file.get', { jobId: this.id, fileIndex })).file
  }

  async updateFile(fileIndex: number, set: { readonly remoteName?: string; readonly validation?: Validation }): Promise<File> {
    return (await this.#call('file.update', { jobId: this.id, fileIndex, set })).file
  }
}
