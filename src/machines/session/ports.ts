/** A user who is signed in. */
export interface User {
  readonly id: string
  readonly email: string
  readonly firstName?: string
  readonly lastName?: string
}

/**
 * What is known about the current tokens, without the tokens. Times are monotonic milliseconds.
 * Each pair of tokens has a `generation` of its own.
 */
export interface Grant {
  readonly generation: number
  readonly user: User
  readonly obtainedAt: number
  /** When the access token expires. */
  readonly expiresAt: number
}

/** A code that the user confirms on another device. */
export interface LinkOffer {
  readonly code: string
  readonly verificationUrl: string
  /** When the code expires, in milliseconds since the epoch: to show. */
  readonly expiresAt: number
  /** When the code expires, in monotonic milliseconds: for timers. */
  readonly endsAt: number
}

/** Why there is no usable answer of a server: data, to show and to switch on. */
export type ApiFailure =
  /** The server was not reached: DNS, connection refused, TLS, CORS. */
  | ApiFailureOf<'network'>
  | ApiFailureOf<'timeout'>
  /** The caller cancelled the request. */
  | ApiFailureOf<'aborted'>
  /** 408 or 5xx: the server has a problem. */
  | ApiFailureOf<'unavailable', { readonly status: number; readonly retryAfterMs?: number }>
  /** 429. */
  | ApiFailureOf<'rate-limited', { readonly retryAfterMs?: number }>
  /** Any other 4xx; 401 and 403 for credentials that are not valid. */
  | ApiFailureOf<'refused', { readonly status: number }>
  /** The answer does not match its schema. */
  | ApiFailureOf<'unexpected-answer', { readonly status: number }>
  /** The base URL is not a URL. */
  | ApiFailureOf<'url-unusable'>

type ApiFailureOf<Code extends string, Detail = unknown> = {
  readonly code: Code
  /** For people. Contains neither the URL, nor a token, nor text from the server. */
  readonly message: string
} & Detail

/** A request that failed. */
export interface Failed {
  readonly kind: 'failed'
  readonly failure: ApiFailure
}

/** The result of restoring a stored session. */
export type RestoreOutcome =
  | { readonly kind: 'granted'; readonly grant: Grant }
  | { readonly kind: 'none' }

/** The result of asking for a code. */
export type OfferOutcome = { readonly kind: 'offered'; readonly offer: LinkOffer } | Failed

/** The result of asking whether a code was confirmed. The port holds the tokens. */
export type PollOutcome =
  | { readonly kind: 'pending' }
  | { readonly kind: 'approved' }
  | { readonly kind: 'expired' }
  | Failed

/** The result of renewing the access token. */
export type RenewOutcome =
  | { readonly kind: 'granted'; readonly grant: Grant }
  /** The server does not accept the refresh token any more. */
  | { readonly kind: 'revoked' }
  /** Another tab or process signed out. */
  | { readonly kind: 'vanished' }
  /** Another tab or process signed another user in. */
  | { readonly kind: 'foreign' }
  | Failed

/** What `clear` removes, besides the tokens in memory. */
export type ClearScope =
  /** The stored session, whoever stored it. */
  | 'everything'
  /** The stored session, unless another tab stored other tokens since. */
  | 'ours'
  /** Nothing else. */
  | 'memory'

/**
 * What a session machine needs from outside. Tokens stay behind this interface: none is ever in
 * an event, a context, a snapshot or an inspector.
 *
 * Each call has a time limit of its own, has no effect after its signal aborted, and never rejects.
 */
export interface SessionPorts {
  restore(signal: AbortSignal): Promise<RestoreOutcome>
  requestLink(signal: AbortSignal): Promise<OfferOutcome>
  checkLink(code: string, signal: AbortSignal): Promise<PollOutcome>
  /** Uses the tokens that came with `approved` from now on, and stores them. */
  adopt(signal: AbortSignal): Promise<RestoreOutcome>
  renew(signal: AbortSignal): Promise<RenewOutcome>
  clear(scope: ClearScope): Promise<void>
  /** Tells the server that the tokens which `clear` removed are not used any more. */
  revoke(signal: AbortSignal): Promise<void>
  startSync(): void
  stopSync(): void
}
