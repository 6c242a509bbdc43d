import type { ApiFailure } from './ports.js'

/** Why nobody is signed in. Absent when nobody ever was. */
export type SignedOutReason =
  /** The user signed out here. */
  | 'signed-out'
  /** The user signed out in another tab or process. */
  | 'elsewhere'
  | 'cancelled'
  /** Nobody confirmed the code in time. */
  | 'link-expired'
  | 'link-refused'
  /** No code could be had. */
  | 'unreachable'
  | 'rate-limited'
  /** The server does not know the refresh token any more. */
  | 'revoked'
  /** The server refused tokens twice in a row. */
  | 'refused'

/** How a session, or an attempt at one, came to its end. */
export interface Ending {
  readonly reason: SignedOutReason
  /** For people; absent where they did it themselves. */
  readonly message?: string
  /** Before this, in milliseconds since the epoch, a new attempt is not made. */
  readonly retryAt?: number
}

// What people are told. The product's words where it has some; none where they did it themselves.

/** The user signed out here. */
export const signedOut: Ending = { reason: 'signed-out' }
/** The user gave the code up. */
export const cancelled: Ending = { reason: 'cancelled' }

/** Another tab or process signed out. */
export const signedOutElsewhere: Ending = {
  reason: 'elsewhere',
  message: 'You have signed out in another window.',
}

/** Nobody confirmed the code in time. */
export const linkExpired: Ending = {
  reason: 'link-expired',
  message: 'The code has expired. Please try again.',
}

/** The refresh token is not good any more. */
export const revoked: Ending = {
  reason: 'revoked',
  message: 'Your session has ended. Please sign in again.',
}

/** Tokens were refused, and so were their successors. */
export const refused: Ending = {
  reason: 'refused',
  message: 'The server did not accept your session. Please sign in again.',
}

/** The server will not sign this device in. */
export const linkRefused: Ending = {
  reason: 'link-refused',
  message: 'The server refused to sign this device in.',
}

/** No code could be had. */
const unreachable: Ending = {
  reason: 'unreachable',
  message: 'The server cannot be reached. Please try again.',
}

/** Too many codes were asked for; `waitMs` from now another may be. */
function rateLimited(waitMs: number, epochMs: number): Ending {
  const minutes = Math.ceil(waitMs / 60_000)
  const wait = minutes === 1 ? 'a minute' : `${minutes} minutes`
  return {
    reason: 'rate-limited',
    message: `Too many attempts. Please try again in ${wait}.`,
    retryAt: epochMs + waitMs,
  }
}

/** How an attempt to get a code ends when it is given up. */
export function requestEnding(failure: ApiFailure, waitMs: number, epochMs: number): Ending {
  if (failure.code === 'rate-limited') return rateLimited(waitMs, epochMs)
  return failure.code === 'refused' ? linkRefused : unreachable
}
