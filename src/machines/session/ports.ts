/** Who is signed in. */
export interface User {
  readonly id: string
  readonly email: string
  readonly firstName?: string
  readonly lastName?: string
}

/**
 * What is known of the tokens in hand, the tokens left out. Times are monotonic milliseconds;
 * `generation` is never used again for other tokens.
 */
export interface Grant {
  readonly generation: number
  readonly user: User
  readonly obtainedAt: number
  /** When the access token is over. */
  readonly expiresAt: number
}

/** A code that the user is to confirm elsewhere. */
export interface LinkOffer {
  readonly code: string
  readonly verificationUrl: string
  /** When it is over, in milliseconds since the epoch: for people. */
  readonly expiresAt: number
  /** The same in monotonic milliseconds: for timers. */
  readonly endsAt: number
}

/** Why a server gave no usable answer: data, to show and to switch on. */
export type ApiFailure =
  /** Never reached: DNS, refused, TLS, CORS. */
  | FailureOf<'network'>
  | FailureOf<'timeout'>
  /** Given up by whoever asked. */
  | FailureOf<'aborted'>
  /** 408 or 5xx: the server's own trouble. */
  | FailureOf<'unavailable', { readonly status: number; readonly retryAfterMs?: number }>
  /** 429. */
  | FailureOf<'rate-limited', { readonly retryAfterMs?: number }>
  /** Any other 4xx; 401 and 403 where the credentials are not good. */
  | FailureOf<'refused', { readonly status: number }>
  /** An answer that does not fit what was agreed. */
  | FailureOf<'unexpected-answer', { readonly status: number }>
  /** The base URL is none. */
  | FailureOf<'url-unusable'>

type FailureOf<Code extends string, Detail = unknown> = {
  readonly code: Code
  /** For people; holds neither URL nor token, nor what the server said. */
  readonly message: string
} & Detail

interface Failed {
  readonly kind: 'failed'
  readonly failure: ApiFailure
}

/** What became of restoring a stored session. */
export type RestoreOutcome =
  | { readonly kind: 'granted'; readonly grant: Grant }
  | { readonly kind: 'none' }

/** What became of asking for a code. */
export type OfferOutcome = { readonly kind: 'offered'; readonly offer: LinkOffer } | Failed

/** What became of asking whether a code was confirmed. Tokens that came stay with the port. */
export type PollOutcome =
  | { readonly kind: 'pending' }
  | { readonly kind: 'approved' }
  | { readonly kind: 'expired' }
  | Failed

/** What became of asking for a fresh access token. */
export type RenewOutcome =
  | { readonly kind: 'granted'; readonly grant: Grant }
  /** The server does not know the refresh token any more. */
  | { readonly kind: 'revoked' }
  /** Another tab or process has signed out, or in as someone else. */
  | { readonly kind: 'vanished' }
  | { readonly kind: 'foreign' }
  | Failed

/**
 * What of the session is removed: what is kept, whoever wrote it; only what we wrote, so that
 * tokens that another tab has put there since stay; or what is in memory alone.
 */
export type ClearScope = 'everything' | 'ours' | 'memory'

/**
 * Everything that a session machine has done for it. Tokens stay behind this interface: none is
 * ever in an event, a context, a snapshot or an inspector.
 *
 * Each call settles within a bound of its own, does nothing more once its signal aborted, and
 * never rejects.
 */
export interface SessionPorts {
  restore(signal: AbortSignal): Promise<RestoreOutcome>
  requestLink(signal: AbortSignal): Promise<OfferOutcome>
  checkLink(code: string, signal: AbortSignal): Promise<PollOutcome>
  /** Takes the tokens of the approval that `checkLink` reported into use, and stores them. */
  adopt(signal: AbortSignal): Promise<RestoreOutcome>
  renew(signal: AbortSignal): Promise<RenewOutcome>
  clear(scope: ClearScope): Promise<void>
  /** Tells the server that the tokens which `clear` took away are not used any more. */
  revoke(signal: AbortSignal): Promise<void>
  startSync(): void
  stopSync(): void
}
