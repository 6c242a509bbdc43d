import { type Clock, clampDelay, type Random } from '../../base/clock.js'
import { waitBeforeAttempt } from '../backoff.js'
import { type Ending, requestEnding } from './endings.js'
import type {
  ApiFailure,
  ClearScope,
  Grant,
  LinkOffer,
  OfferOutcome,
  PollOutcome,
  RenewOutcome,
  RestoreOutcome,
} from './ports.js'
import type { SessionTiming } from './timing.js'

/** What follows once tokens and user are gone. */
export interface Leaving {
  readonly scope: ClearScope
  /** Whether the server is to be told. */
  readonly tellServer: boolean
  /** Whether to look for what another tab has stored. */
  readonly thenRestore: boolean
}

/** The session machine's memory: no tokens. Times ending in `At` are monotonic milliseconds. */
export interface SessionContext {
  readonly grant: Grant | undefined
  readonly offer: LinkOffer | undefined
  readonly secondsRemaining: number
  /** What is wrong at present, for people. */
  readonly trouble: string | undefined
  readonly ending: Ending | undefined
  readonly leaving: Leaving
  /** How many times in a row a request has failed. */
  readonly failures: number
  /** How many times in a row a server would not renew, other than by 401. */
  readonly refusals: number
  /** The next attempt after a failure. */
  readonly retryAt: number
  /** Not even who needs it now makes an attempt before this: the server said so. */
  readonly notBefore: number
  /** When the code is to be asked about next. */
  readonly pollAt: number
  /** When the access token is to be renewed. */
  readonly renewAt: number
  /** Counts what is told to the server after the end, for ids. */
  readonly farewells: number
}

/** The memory of a machine that has just been made. */
export const emptySession: SessionContext = {
  grant: undefined,
  offer: undefined,
  secondsRemaining: 0,
  trouble: undefined,
  ending: undefined,
  leaving: { scope: 'memory', tellServer: false, thenRestore: false },
  failures: 0,
  refusals: 0,
  retryAt: 0,
  notBefore: Number.NEGATIVE_INFINITY,
  pollAt: 0,
  renewAt: 0,
  farewells: 0,
}

/** What times and chances are taken from. */
export interface Chances {
  readonly clock: Clock
  readonly random: Random
  readonly timing: SessionTiming
}

// A request that failed in a way that another attempt may mend.
function isPassing(failure: ApiFailure): boolean {
  switch (failure.code) {
    case 'network':
    case 'timeout':
    case 'aborted':
    case 'unavailable':
    case 'rate-limited':
    case 'unexpected-answer':
      return true
    case 'refused':
    case 'url-unusable':
      return false
    default:
      return failure satisfies never
  }
}

// How long a server asked to be left alone, in milliseconds.
function askedWait(failure: ApiFailure, timing: SessionTiming): number {
  const asked =
    failure.code === 'rate-limited'
      ? (failure.retryAfterMs ?? timing.rateLimitMs)
      : failure.code === 'unavailable'
        ? (failure.retryAfterMs ?? 0)
        : 0
  return Math.min(clampDelay(asked), timing.longestWaitMs)
}

// However many ask for a token at once, a server in trouble is asked once a second.
const SOONEST_RETRY_MS = 1_000

/** Takes a failed request up: one more failure, and when to try again. */
export function countFailure(
  context: SessionContext,
  outcome: OfferOutcome | RenewOutcome,
  chances: Chances,
): Partial<SessionContext> {
  if (outcome.kind !== 'failed') return {}
  const { clock, random, timing } = chances
  const { failure } = outcome
  const failures = context.failures + 1
  const step = waitBeforeAttempt(timing.backoff, failures, random)
  const asked = askedWait(failure, timing)
  const now = clock.now()
  return {
    failures,
    refusals: isPassing(failure) ? 0 : context.refusals + 1,
    retryAt: now + Math.max(step, asked),
    notBefore: now + Math.max(SOONEST_RETRY_MS, asked),
  }
}

/** Gives up getting a code. */
export function giveUpRequest(
  outcome: OfferOutcome,
  { clock, timing }: Chances,
): Partial<SessionContext> {
  if (outcome.kind !== 'failed') return {}
  const waitMs = askedWait(outcome.failure, timing)
  return {
    ending: requestEnding(outcome.failure, waitMs, clock.epoch()),
    notBefore: clock.now() + waitMs,
  }
}

/** Takes a code up, and begins the grid of questions about it. */
export function takeOffer(outcome: OfferOutcome, { clock }: Chances): Partial<SessionContext> {
  if (outcome.kind !== 'offered') return {}
  return { offer: outcome.offer, trouble: undefined, pollAt: clock.now(), notBefore: clock.now() }
}

/** Takes an answer that settles nothing up: the next question is on the grid, or when it may be. */
export function notePoll(
  outcome: PollOutcome,
  { clock, timing }: Chances,
): Partial<SessionContext> {
  if (outcome.kind !== 'failed') return { trouble: undefined }
  const { failure } = outcome
  return { trouble: failure.message, notBefore: clock.now() + askedWait(failure, timing) }
}

/** Takes tokens up: who is signed in, and when to renew. */
function takeGrant(grant: Grant, { random, timing }: Chances): Partial<SessionContext> {
  const life = grant.expiresAt - grant.obtainedAt
  const ahead = timing.renewAheadMs + random() * timing.renewSpreadMs
  // Tokens of a short life are renewed half way, and not more than once a second.
  const earliest = grant.obtainedAt + Math.max(life / 2, SOONEST_RETRY_MS)
  return {
    grant,
    renewAt: Math.max(earliest, grant.expiresAt - ahead),
    offer: undefined,
    ending: undefined,
    failures: 0,
    refusals: 0,
  }
}

/** As {@link takeGrant}, where there is something to take. */
export function takeGranted(
  outcome: RestoreOutcome | RenewOutcome,
  chances: Chances,
): Partial<SessionContext> {
  return outcome.kind === 'granted' ? takeGrant(outcome.grant, chances) : {}
}

/** As {@link takeGrant}, but however short its life, it is not renewed within a second. */
export function takeSuccessor(grant: Grant, chances: Chances): Partial<SessionContext> {
  const taken = takeGrant(grant, chances)
  const soonest = chances.clock.now() + SOONEST_RETRY_MS
  return { ...taken, renewAt: Math.max(taken.renewAt ?? 0, soonest) }
}

/** Whether another attempt to get a code may help. */
export function mayRetryRequest(
  { failures }: SessionContext,
  outcome: OfferOutcome,
  { timing }: Chances,
): boolean {
  if (outcome.kind !== 'failed' || !isPassing(outcome.failure)) return false
  return outcome.failure.code !== 'rate-limited' && failures + 1 < timing.linkAttempts
}

/** Whether an answer was a refusal that no repetition mends. */
export function isRefusal(outcome: PollOutcome | RenewOutcome): boolean {
  return outcome.kind === 'failed' && !isPassing(outcome.failure)
}

/** Whole seconds until a code is over, the last one begun included. */
export function secondsUntil(endsAt: number, now: number): number {
  return Math.max(0, Math.ceil((endsAt - now) / 1_000))
}

/** The next time to ask: on the grid that began with the offer, later where the server said so. */
export function nextPollAt(
  { pollAt, notBefore }: SessionContext,
  { clock, timing: { pollIntervalMs } }: Chances,
): number {
  const passed = Math.max(0, Math.floor((clock.now() - pollAt) / pollIntervalMs))
  return Math.max(pollAt + (passed + 1) * pollIntervalMs, notBefore)
}

/** Whether the next question would come when its answer is of no use any more. */
export function isPollTooLate(
  { offer, pollAt }: SessionContext,
  { timing: { pollIntervalMs } }: Chances,
): boolean {
  // One question after the end is allowed for: the server's clock is what counts.
  return offer === undefined || pollAt > offer.endsAt + pollIntervalMs
}
