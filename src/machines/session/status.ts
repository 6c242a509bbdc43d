import type { SnapshotFrom } from 'xstate'
import type { SignedOutReason } from './endings.js'
import type { SessionMachine } from './machine.js'
import type { User } from './ports.js'

/** The public status of a session. Times are milliseconds since the epoch. */
export type SessionStatus =
  /** Looks for a stored session, asks for a code, or signs out. */
  | { readonly state: 'loading' }
  | {
      readonly state: 'signedOut'
      /** Absent if nobody was signed in here before. */
      readonly reason?: SignedOutReason
      /** For people. Absent if the user ended the session. */
      readonly message?: string
      /** `signIn()` does nothing before this time, as the server asked for no further request. */
      readonly retryAt?: number
    }
  | {
      readonly state: 'linking'
      /** The user types or confirms it at `verificationUrl`. */
      readonly code: string
      readonly expiresAt: number
      readonly verificationUrl: string
      readonly secondsRemaining: number
      /** The current problem, for people. The code stays valid. */
      readonly message?: string
    }
  | { readonly state: 'signedIn'; readonly user: User }

/** Derives the public status from a snapshot of the session machine. Every snapshot has one. */
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
