/**
 * Why a connection ended or could not be made: data, to show and to switch on.
 *
 * `message` is for people and contains neither the URL, a token, nor the peer's reason text. Whether
 * a retry follows is not part of a failure: the connection machine decides it.
 */
export type ConnectionFailure =
  /** The peer closed the connection, or the network broke it (1006). `reason` is the peer's text, never parsed. */
  | FailureWith<
      'closed',
      {
        readonly closeCode: number
        readonly reason: string
        /** How long the server asked the client to stay away, in milliseconds. */
        readonly returnAfterMs?: number
      }
    >
  /** The server answered the upgrade with an HTTP status. Node only: browsers report `network`. */
  | FailureWith<'upgrade-refused', { readonly status: number; readonly retryAfterMs?: number }>
  /** The server was not reached: DNS, refused, TLS. `systemCode` is Node's, such as `ECONNREFUSED`. */
  | FailureWith<'network', { readonly systemCode?: string }>
  /** The connection did not open within `connectTimeoutMs`. */
  | FailureWith<'connect-timeout', { readonly afterMs: number }>
  /** No pong within `pongTimeoutMs`. */
  | FailureWith<'pong-timeout', { readonly afterMs: number }>
  /** A server with delivery did not answer in time. */
  | FailureWith<'answer-timeout', { readonly afterMs: number }>
  /** The peer sent a message over `maxMessageBytes`. */
  | FailureWith<'message-too-large', { readonly limitBytes: number }>
  /** The `url` or `credentials` function threw or rejected. The error went to `onError`. */
  | FailureWith<'provider-rejected', { readonly provider: 'url' | 'credentials' }>
  /** The value of the `url` option is not a WebSocket address. */
  | FailureWith<'url-unusable', unknown>
  /** The credentials do not fit the protocol's schema. */
  | FailureWith<'credentials-missing', unknown>

type FailureWith<Code extends string, Detail> = {
  readonly code: Code
  readonly message: string
} & Detail
