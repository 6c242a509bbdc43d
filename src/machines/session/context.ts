import type { Clock, Random } from '../../base/clock.js'
import type { Ending } from './endings.js'
import type { ClearScope, Grant, LinkOffer, SessionPorts } from './ports.js'

/** The input of a session machine. */
export interface SessionInput {
  readonly ports: SessionPorts
  readonly clock: Clock
  readonly random: Random
}

/** What a session can be asked to do. */
export type SessionCommand =
  /** Looks for a stored session. */
  | { readonly type: 'start' }
  /** Asks for a code. */
  | { readonly type: 'link' }
  /** Gives the code up. */
  | { readonly type: 'cancel' }
  | { readonly type: 'signOut' }
  /** Gets an access token that is newer than the one of this generation. */
  | { readonly type: 'renew'; readonly generation: number }

/** The server was told that the tokens are not used any more, or the attempt failed. */
export interface RevocationEvent {
  readonly type: 'revocation.ended'
  /** The id of the actor that told it. */
  readonly id: string
}

/** Every event of a session machine. */
export type SessionEvent =
  | SessionCommand
  /** The server refused tokens, and then refused their successors, which are of this generation. */
  | { readonly type: 'credentials.refused'; readonly generation: number }
  /** Another tab stored newer tokens of the same user. */
  | { readonly type: 'store.replaced'; readonly grant: Grant }
  /** Another tab signed out. */
  | { readonly type: 'store.vanished' }
  /** Another tab signed a user in who is not the one signed in here. */
  | { readonly type: 'store.foreign' }
  | RevocationEvent

/** How a session is left: what is removed, and what follows once it is removed. */
export interface Leaving {
  readonly scope: ClearScope
  /** Whether to tell the server that the tokens are not used any more. */
  readonly thenRevoke: boolean
  /** Whether to look for a session that another tab has stored. */
  readonly thenRestore: boolean
}

/** The session machine's memory, without tokens. Times ending in `At` are monotonic milliseconds. */
export interface SessionContext {
  /** Gives the input. A function, so that an inspector which prints the context does not show it. */
  readonly input: () => SessionInput
  readonly grant: Grant | undefined
  readonly offer: LinkOffer | undefined
  /** Until the code expires. */
  readonly secondsRemaining: number
  /** The last failure while a code is shown, as a text for people. */
  readonly trouble: string | undefined
  readonly ending: Ending | undefined
  readonly leaving: Leaving
  /** The number of requests in a row that failed. */
  readonly failures: number
  /** The number of renewals in a row that the server refused, 401 apart. */
  readonly refusals: number
  /** When the next attempt after a failure is due. */
  readonly retryAt: number
  /** No request is made before this, whoever asks for it: the server wants to be left alone. */
  readonly notBefore: number
  /** When the next question about the code is due. */
  readonly pollAt: number
  /** When the renewal of the access token is due. */
  readonly renewAt: number
  /** The number of revocations so far, which gives each an id. */
  readonly revocations: number
}

/** Makes the memory of a machine that was just started. */
export function createSessionContext(input: SessionInput): SessionContext {
  return {
    input: () => input,
    grant: undefined,
    offer: undefined,
    secondsRemaining: 0,
    trouble: undefined,
    ending: undefined,
    leaving: { scope: 'memory', thenRevoke: false, thenRestore: false },
    failures: 0,
    refusals: 0,
    retryAt: 0,
    notBefore: Number.NEGATIVE_INFINITY,
    pollAt: 0,
    renewAt: 0,
    revocations: 0,
  }
}
