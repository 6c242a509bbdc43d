import type { SnapshotFrom } from 'xstate'
import type { SignedOutReason } from './endings.js'
import type { SessionMachine } from './machine.js'
import type { User } from './ports.js'

/** Where a session stands, as the product names it. Times are milliseconds since the epoch. */
export type SessionStatus =
  /** Looking for a stored session, asking for a code, or letting go. */
  | { readonly state: 'loading' }
  | {
      readonly state: 'signedOut'
      /** Absent when nobody was signed in here. */
      readonly reason?: SignedOutReason
      /** For people; absent where they did it themselves. */
      readonly message?: string
      /** Before this, `signIn()` does nothing: the server asked to be left alone. */
      readonly retryAt?: number
    }
  | {
      readonly state: 'linking'
      /** To be typed, or confirmed, at `verificationUrl`. */
      readonly code: string
      readonly expiresAt: number
      readonly verificationUrl: string
      readonly secondsRemaining: number
      /** What is wrong at present, for people; the link goes on. */
      readonly message?: string
    }
  | { readonly state: 'signedIn'; readonly user: User }

/** Derives the public status from a snapshot of the session machine. Total: every snapshot has one. */
export function getSessionStatus(snapshot: SnapshotFrom<SessionMachine>): SessionStatus {
  const { ending, grant, offer, secondsRemaining, trouble } = snapshot.context
  if (snapshot.matches('signedIn') && grant !== undefined) {
    return { state: 'signedIn', user: grant.user }
  }
  if (snapshot.matches('linking') && offer !== undefined) {
    const { code, expiresAt, verificationUrl } = offer
    return {
      state: 'linking',
      code,
      expiresAt,
      verificationUrl,
      secondsRemaining,
      ...(trouble !== undefined && { message: trouble }),
    }
  }
  if (snapshot.matches('signedOut')) return { state: 'signedOut', ...ending }
  return { state: 'loading' }
}
