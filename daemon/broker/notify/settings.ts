// What the configuration says about callbacks (`[callbacks]`), and the delay between two calls for one event.

export interface CallbackSettings {
  /** How long a call may stay unanswered. */
  readonly answerTimeoutSeconds: number
  /** How long a notify command may run. */
  readonly commandTimeoutSeconds: number
  /** From the first call that failed to the next; doubles each time up to the maximum. */
  readonly retrySeconds: number
  readonly retryMaximumSeconds: number
  readonly atOncePerUser: number
}

/** @param failures how many calls have failed so far, at least 1 */
export function retryDelayMs({ retrySeconds, retryMaximumSeconds }: CallbackSettings, failures: number): number {
  return 1000 * Math.min(retryMaximumSeconds, retrySeconds * 2 ** Math.min(failures - 1, 40))
}
