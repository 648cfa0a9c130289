// A user as the system's databases have him; how they are asked is in `account.ts`.

export interface Account {
  readonly uid: number
  /** The primary group. */
  readonly gid: number
  readonly name: string
  readonly home: string
  readonly shell?: string
}
