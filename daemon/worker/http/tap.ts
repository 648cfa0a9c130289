// Who takes a plain body from a wire, past the HTTP client.
export interface Tap {
  /** Where the next bytes of the body shall land; never empty. `null`: anywhere. */
  room(): Buffer | null
  /** They are there. */
  filled(count: number): void
  /** Bytes that landed elsewhere, and do not stay there. */
  take(bytes: Buffer): void
  /** May it take from the socket by itself? Then the room is only used to find out whether there is something. */
  readonly mayDrain: boolean
  /** Takes what waits in `socket`, a descriptor. Gives how many bytes that was. */
  drain(socket: number): number
  /** The connection ended or failed (`null`: it was closed in order). */
  ended(error: Error | null): void
}
