/**
 * Why a connection ended, or could not be made: data, to show and to switch on.
 *
 * `message` is for people and holds neither URL, token nor the peer's reason text. `retryable`
 * is not here: what a failure leads to is for the connection machine to decide.
 */
export type ConnectionFailure =
  /** The peer closed, or the network did (1006). `reason` is the peer's text, never parsed. */
  | FailureWith<
      'closed',
      {
        readonly closeCode: number
        readonly reason: string
        /** The server had said how long to stay away. */
        readonly returnAfterMs?: number
      }
    >
  /** The upgrade was answered with an HTTP status instead. Node only: browsers see `network`. */
  | FailureWith<'upgrade-refused', { readonly status: number; readonly retryAfterMs?: number }>
  /** Never reached: DNS, refused, TLS. `systemCode` is Node's, for example `ECONNREFUSED`. */
  | FailureWith<'network', { readonly systemCode?: string }>
  /** Not connected within the connect bound. */
  | FailureWith<'connect-timeout', { readonly afterMs: number }>
  /** No sign of life within the pong bound. */
  | FailureWith<'pong-timeout', { readonly afterMs: number }>
  /** A server with delivery owed an answer for too long. */
  | FailureWith<'answer-timeout', { readonly afterMs: number }>
  /** The peer sent a message over the limit. */
  | FailureWith<'message-too-large', { readonly limitBytes: number }>
  /** The `url` or `credentials` function threw or rejected. What it threw went to `onError`. */
  | FailureWith<'provider-rejected', { readonly provider: 'url' | 'credentials' }>
  /** What the `url` option gave is no usable WebSocket address. */
  | FailureWith<'url-unusable', unknown>
  /** The credentials do not fit what the protocol asks for. */
  | FailureWith<'credentials-missing', unknown>

type FailureWith<Code extends string, Detail> = {
  readonly code: Code
  readonly message: string
} & Detail

/** Every code of a {@link ConnectionFailure}. */
export type ConnectionFailureCode = ConnectionFailure['code']
