/**
 * Why a connection ended, or could not be made: data, to show and to switch on.
 *
 * `message` is for people and holds neither URL, token nor the peer's reason text. `retryable`
 * is not here: what a failure leads to is for the connection machine to decide.
 */
export type ConnectionFailure =
  /** The peer closed, or the network did (1006). `reason` is the peer's text, never parsed. */
  | FailureOf<
      'closed',
      {
        readonly closeCode: number
        readonly reason: string
        /** The server had said how long to stay away. */
        readonly returnAfterMs?: number
      }
    >
  /** The upgrade was answered with an HTTP status instead. Node only: browsers see `network`. */
  | FailureOf<'upgrade-refused', { readonly status: number; readonly retryAfterMs?: number }>
  /** Never reached: DNS, refused, TLS. `systemCode` is Node's, for example `ECONNREFUSED`. */
  | FailureOf<'network', { readonly systemCode?: string }>
  /** Not connected within the connect bound. */
  | FailureOf<'connect-timeout', { readonly afterMs: number }>
  /** No sign of life within the pong bound. */
  | FailureOf<'pong-timeout', { readonly afterMs: number }>
  /** A server with delivery owed an answer for too long. */
  | FailureOf<'answer-timeout', { readonly afterMs: number }>
  /** The peer sent a message over the limit. */
  | FailureOf<'message-too-large', { readonly limitBytes: number }>
  /** The `url` or `credentials` function threw or rejected. What it threw went to `onError`. */
  | FailureOf<'provider-rejected', { readonly provider: 'url' | 'credentials' }>
  /** What the `url` option gave is no usable WebSocket address. */
  | FailureOf<'url-unusable', unknown>
  /** The credentials do not fit what the protocol asks for. */
  | FailureOf<'credentials-missing', unknown>

type FailureOf<Code extends string, Detail> = {
  readonly code: Code
  readonly message: string
} & Detail

/** Every code of a {@link ConnectionFailure}. */
export type ConnectionFailureCode = ConnectionFailure['code']
