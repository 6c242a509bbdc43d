import type { Clock, Random } from '../../base/clock.js'
import type { Ending } from './endings.js'
import type { ClearScope, Grant, LinkOffer, SessionPorts } from './ports.js'
import type { SessionTiming } from './timing.js'

/** The input of a session machine. */
export interface SessionInput {
  readonly ports: SessionPorts
  readonly clock: Clock
  readonly random: Random
  readonly timing: SessionTiming
}

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
