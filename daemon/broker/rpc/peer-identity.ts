// What the kernel said about the other end of a connection; how it was asked is in `identity.ts`.

export interface Identity {
  /** The uid in decimal; on Windows the SID. What owners are compared by. */
  readonly id: string
  readonly uid: number
  readonly gid: number
  /** For logs only: by the time anybody looks, it may be another process. */
  readonly pid: number
  /** All groups of the caller, the primary one first. */
  readonly groups: readonly number[]
}
