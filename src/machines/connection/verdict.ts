import { clampDelay } from '../../base/clock.js'
import type { CloseVerdict } from '../../schemas/policy.js'
import { classifyFailure } from '../../transport/close-codes.js'
import type { ConnectionFailure } from '../../transport/failure.js'
import type { ConnectionPolicy } from './policy.js'

/** Why a connection is `failed`. Only `connect()` or a new target ends that state. */
export interface FinalError {
  readonly code:
    | 'attempts-exhausted'
    | 'credentials-refused'
    | 'credentials-missing'
    | 'url-unusable'
    | 'policy'
    | 'protocol'
    | 'server-error'
  /** For people; contains neither URL nor credentials. */
  readonly message: string
  /** The failure that ended the attempts. */
  readonly cause: ConnectionFailure
}

/** The part of a connection's history that decides what follows a failure. */
export interface AttemptHistory {
  /** 0 for the first connection, then the number of the current attempt. */
  readonly attempt: number
  /** The current attempt was brought forward: its failure does not count as an attempt. */
  readonly isHurried: boolean
  /** The server has refused the credentials since the connection was last stable. */
  readonly wasRefused: boolean
  /** How many times in a row the server closed with this code. */
  readonly streak: { readonly code: number; readonly count: number }
}

/** The history of a connection that has had no failure. */
export const freshHistory: AttemptHistory = {
  attempt: 0,
  isHurried: false,
  wasRefused: false,
  streak: { code: 0, count: 0 },
}

/** What follows a failure. */
export type Decision =
  | { readonly next: 'fail'; readonly error: FinalError }
  | {
      readonly next: 'retry'
      readonly history: AttemptHistory
      readonly minWaitMs: number
      readonly spread: boolean
    }

/** Decides what follows a failure, by the connection's history and policy alone. */
export function decide(
  history: AttemptHistory,
  failure: ConnectionFailure,
  policy: ConnectionPolicy,
): Decision {
  const verdict = classifyFailure(failure, policy.closeCodes)
  const streak = countStreak(history.streak, failure)
  const error = judge(verdict, history, streak.count, failure)
  if (error !== undefined) return { next: 'fail', error }
  const attempt = history.isHurried ? history.attempt : history.attempt + 1
  if (attempt > policy.backoff.maxAttempts) {
    const message = 'Max reconnection attempts reached.'
    return { next: 'fail', error: { code: 'attempts-exhausted', message, cause: failure } }
  }
  return {
    next: 'retry',
    history: {
      attempt,
      isHurried: false,
      // Not reset by failures of other kinds: they say nothing about the new credentials.
      wasRefused: history.wasRefused || verdict.next === 'refresh',
      streak,
    },
    minWaitMs: verdict.next === 'retry' ? clampDelay(verdict.minWaitMs ?? 0) : 0,
    spread: verdict.next === 'retry' && verdict.spread === true && attempt === 1,
  }
}

function judge(
  verdict: CloseVerdict,
  history: AttemptHistory,
  inARow: number,
  cause: ConnectionFailure,
): FinalError | undefined {
  switch (verdict.next) {
    case 'retry': {
      const isOneTooMany = inARow > (verdict.inARow ?? Number.POSITIVE_INFINITY)
      const message = 'The server failed for this connection several times in a row.'
      return isOneTooMany ? { code: 'server-error', message, cause } : undefined
    }
    case 'refresh': {
      const message = 'The server refused the credentials twice in a row.'
      return history.wasRefused ? { code: 'credentials-refused', message, cause } : undefined
    }
    case 'fail':
      return { code: finalCode(verdict.why, cause), message: cause.message, cause }
    default:
      return verdict satisfies never
  }
}

function finalCode(
  why: Extract<CloseVerdict, { next: 'fail' }>['why'],
  { code }: ConnectionFailure,
): FinalError['code'] {
  if (code === 'url-unusable' || code === 'credentials-missing') return code
  return why === 'auth' ? 'credentials-refused' : why
}

function countStreak(
  streak: AttemptHistory['streak'],
  failure: ConnectionFailure,
): AttemptHistory['streak'] {
  if (failure.code !== 'closed') return { code: 0, count: 0 }
  const { closeCode } = failure
  return { code: closeCode, count: closeCode === streak.code ? streak.count + 1 : 1 }
}
