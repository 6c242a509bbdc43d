/** What to do about a connection that ended or could not be made. */
export type CloseVerdict =
  /** Try again under the backoff, but not before `minWaitMs`; at most `inARow` times running. */
  | {
      readonly next: 'retry'
      readonly minWaitMs?: number
      /** Spread the wait at random, since every client of the server was told the same. */
      readonly spread?: boolean
      readonly inARow?: number
    }
  /** Ask for fresh credentials and try again; a second refusal in a row is final. */
  | { readonly next: 'refresh' }
  /** Final: no retry helps. */
  | { readonly next: 'fail'; readonly why: 'auth' | 'policy' | 'protocol' }

/** A protocol's own reading of close codes; `undefined` leaves one to the library's table. */
export type CloseCodes = (code: number) => CloseVerdict | undefined

/** How long to wait before each attempt to reconnect. */
export interface BackoffPolicy {
  /** The wait before attempt 1, 2, … in milliseconds; the last one repeats. */
  readonly stepsMs: readonly number[]
  /** `full`: each wait is drawn from 0 up to its step. `none`: the step itself. */
  readonly jitter: 'full' | 'none'
  /** After this many attempts in a row have failed the connection is `failed`. `Infinity`: never. */
  readonly maxAttempts: number
}

/** The messages that show that a connection is alive. */
export interface Heartbeat {
  /** The type of a ping; either side may send one. */
  readonly ping: string
  /** The type of the answer. */
  readonly pong: string
  /** The body of both, made from the time in ms since the epoch. Default `{timestamp}`. */
  readonly body?: (epochMs: number) => unknown
}
