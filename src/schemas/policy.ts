/** What to do after a connection ended or could not be made. */
export type CloseVerdict =
  /** Try again under the backoff, but not before `minWaitMs`, and at most `inARow` times in a row. */
  | {
      readonly next: 'retry'
      readonly minWaitMs?: number
      /** Add a random wait: every client of the server was closed at the same moment. */
      readonly spread?: boolean
      readonly inARow?: number
    }
  /** Try again with fresh credentials; a second refusal in a row is final. */
  | { readonly next: 'refresh' }
  /** Stop: no retry helps. */
  | { readonly next: 'fail'; readonly why: 'auth' | 'policy' | 'protocol' }

/** A protocol's own meaning of close codes; `undefined` leaves a code to the library's table. */
export type CloseCodes = (code: number) => CloseVerdict | undefined

/** How long to wait before each attempt to reconnect. */
export interface BackoffPolicy {
  /** The waits before attempt 1, 2, … in milliseconds; the last one repeats. */
  readonly stepsMs: readonly number[]
  /** `full`: each wait is a random part of its step. `none`: each wait is its step. */
  readonly jitter: 'full' | 'none'
  /** The connection is `failed` after this many failed attempts in a row. `Infinity`: never. */
  readonly maxAttempts: number
}

/** The messages by which each side shows that it is alive. */
export interface Heartbeat {
  /** The type of a ping; either side may send one. */
  readonly ping: string
  /** The type of the answer. */
  readonly pong: string
  /** Makes the body of both from the time in ms since the epoch. Default `{timestamp}`. */
  readonly body?: (epochMs: number) => unknown
}
