// The contract of the store. A commit is one batch, flushed to disk before it resolves, all of it or nothing; those
// asked for while one is being written go together in the next. Where it cannot be written the commit rejects with
// `storage-full` and, also after a crash, nothing of it is there. Values are text; what they mean is in `records.ts`.

export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string }

export interface Span {
  readonly gte?: string
  readonly gt?: string
  readonly lt: string
  readonly limit?: number
  readonly reverse?: boolean
  /** How much is read ahead, in bytes; 16 KiB unless told. */
  readonly highWaterMarkBytes?: number
}

export interface Store {
  commit(operations: readonly Operation[]): Promise<void>
  get(key: string): Promise<string | null>
  /** The same of many keys, in their order, for less than one by one. */
  getMany(keys: readonly string[]): Promise<(string | null)[]>
  /** Entries in the order of their keys. A value that is damaged is passed over, and said in the log. */
  read(span: Span): AsyncIterable<readonly [key: string, value: string]>
  /** Waits for what is being written. Commits asked for later are refused with `shutting-down`. */
  close(): Promise<void>
}
