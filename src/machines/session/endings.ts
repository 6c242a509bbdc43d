import type { ApiFailure } from './ports.js'

/** Why nobody is signed in. Absent if nobody was signed in before. */
export type SignedOutReason =
  /** The user signed out here. */
  | 'signed-out'
  /** The user signed out in another tab or process. */
  | 'elsewhere'
  /** The user cancelled the sign-in. */
  | 'cancelled'
  /** Nobody confirmed the code in time. */
  | 'link-expired'
  /** The server refused to sign this device in. */
  | 'link-refused'
  /** The server gave no code. */
  | 'unreachable'
  /** The server received too many requests for a code. */
  | 'rate-limited'
  /** The server does not accept the refresh token any more. */
  | 'revoked'
  /** The server refused tokens twice in a row. */
  | 'refused'

/** How a session, or an attempt to sign in, ended. */
export interface Ending {
  readonly reason: SignedOutReason
  /** For people. Absent if the user ended it. */
  readonly message?: string
  /** The earliest time of a new attempt, in milliseconds since the epoch. */
  readonly retryAt?: number
}

/** The user signed out here. */
export const signedOut: Ending = { reason: 'signed-out' }
/** The user cancelled the sign-in. */
export const cancelled: Ending = { reason: 'cancelled' }

/** The user signed out in another tab or process. */
export const signedOutElsewhere: Ending = {
  reason: 'elsewhere',
  message: 'You have signed out in another window.',
}

/** Nobody confirmed the code in time. */
export const linkExpired: Ending = {
  reason: 'link-expired',
  message: 'The code has expired. Please try again.',
}

/** The server does not accept the refresh token any more. */
export const revoked: Ending = {
  reason: 'revoked',
  message: 'Your session has ended. Please sign in again.',
}

/** The server refused tokens, and then their successors. */
export const refused: Ending = {
  reason: 'refused',
  message: 'The server did not accept your session. Please sign in again.',
}

/** The server refused to sign this device in. */
export const linkRefused: Ending = {
  reason: 'link-refused',
  message: 'The server refused to sign this device in.',
}

const serverUnreachable: Ending = {
  reason: 'unreachable',
  message: 'The server cannot be reached. Please try again.',
}

function tooManyRequests(waitMs: number, epochMs: number): Ending {
  const minutes = Math.ceil(waitMs / 60_000)
  const wait = minutes === 1 ? 'a minute' : `${minutes} minutes`
  return {
    reason: 'rate-limited',
    message: `Too many attempts. Please try again in ${wait}.`,
    retryAt: epochMs + waitMs,
  }
}

/** How an attempt to sign in ends for which the server gave no code. */
export function requestEnding(failure: ApiFailure, waitMs: number, epochMs: number): Ending {
  if (failure.code === 'rate-limited') return tooManyRequests(waitMs, epochMs)
  return failure.code === 'refused' ? linkRefused : serverUnreachable
}
