import { clampDelay } from '../../base/clock.js'
import { standardBackoff, waitBeforeAttempt } from '../backoff.js'
import type { SessionContext } from './context.js'
import { requestEnding } from './endings.js'
import type { ApiFailure, Grant, OfferOutcome, PollOutcome, RenewOutcome } from './ports.js'

// How outcomes and time change the machine's memory. An update that does not expect an outcome of
// this kind changes nothing: the guard before it rules that kind out.

type Update = Partial<SessionContext>

// A server in trouble gets at most one request a second, however many callers want a token.
const SOONEST_RETRY_MS = 1_000
/** Between two questions whether the code was confirmed. */
const POLL_INTERVAL_MS = 1_000
/** How long before it expires an access token is renewed; at most half its life. */
const RENEW_AHEAD_MS = 300_000
/** A random part of this is added, so that tabs do not renew at the same time. */
const RENEW_SPREAD_MS = 60_000
/** The number of attempts to get a code, before the server counts as unreachable. */
const LINK_ATTEMPTS = 3
/** How long to wait after status 429 without Retry-After. */
const RATE_LIMIT_MS = 60_000
/** The longest wait that a server can ask for. */
const LONGEST_WAIT_MS = 3_600_000

/** Signs the user of a grant in, and schedules the renewal. */
export function applyGrant({ input }: SessionContext, grant: Grant): Update & { renewAt: number } {
  const lifeMs = grant.expiresAt - grant.obtainedAt
  const aheadMs = RENEW_AHEAD_MS + input().random() * RENEW_SPREAD_MS
  // A token with a short life is renewed after half of it, but not within a second.
  const earliest = grant.obtainedAt + Math.max(lifeMs / 2, SOONEST_RETRY_MS)
  return {
    grant,
    renewAt: Math.max(earliest, grant.expiresAt - aheadMs),
    offer: undefined,
    ending: undefined,
    failures: 0,
    refusals: 0,
  }
}

/** As {@link applyGrant}, for tokens that follow others: they are not renewed within a second. */
export function applySuccessor(context: SessionContext, grant: Grant): Update {
  const applied = applyGrant(context, grant)
  const soonest = context.input().clock.now() + SOONEST_RETRY_MS
  return { ...applied, renewAt: Math.max(applied.renewAt, soonest) }
}

/** Shows a code. The questions about it are on a grid that begins now. */
export function applyOffer({ input }: SessionContext, outcome: OfferOutcome): Update {
  if (outcome.kind !== 'offered') return {}
  const now = input().clock.now()
  return { offer: outcome.offer, trouble: undefined, pollAt: now, notBefore: now }
}

/** Notes an answer that decides nothing. */
export function notePoll({ input }: SessionContext, outcome: PollOutcome): Update {
  if (outcome.kind !== 'failed') return { trouble: undefined }
  const { failure } = outcome
  return { trouble: failure.message, notBefore: input().clock.now() + serverWaitMs(failure) }
}

/** When to ask next: at the next point of the grid, or later if the server asked to wait. */
export function nextPollAt({ pollAt, notBefore, input }: SessionContext): number {
  const passed = Math.max(0, Math.floor((input().clock.now() - pollAt) / POLL_INTERVAL_MS))
  return Math.max(pollAt + (passed + 1) * POLL_INTERVAL_MS, notBefore)
}

/** Whether the next question would come too late to matter. */
export function isPollTooLate({ offer, pollAt }: SessionContext): boolean {
  // The server's clock decides, so there is one question after the code expired by ours.
  return offer === undefined || pollAt > offer.endsAt + POLL_INTERVAL_MS
}

/** When the code expires. */
export function codeEndsAt({ offer }: SessionContext): number {
  return offer?.endsAt ?? 0
}

/** Whole seconds until the code expires, rounded up. */
export function secondsLeft(context: SessionContext): number {
  const leftMs = codeEndsAt(context) - context.input().clock.now()
  return Math.max(0, Math.ceil(leftMs / 1_000))
}

/** Counts a failed request and schedules the next attempt. */
export function countFailure(
  context: SessionContext,
  outcome: OfferOutcome | RenewOutcome,
): Update {
  if (outcome.kind !== 'failed') return {}
  const { clock, random } = context.input()
  const { failure } = outcome
  const failures = context.failures + 1
  const step = waitBeforeAttempt(standardBackoff, failures, random)
  const wanted = serverWaitMs(failure)
  const now = clock.now()
  return {
    failures,
    refusals: isTransient(failure) ? 0 : context.refusals + 1,
    retryAt: now + Math.max(step, wanted),
    notBefore: now + Math.max(SOONEST_RETRY_MS, wanted),
  }
}

/** Whether to ask for a code once more. */
export function mayRequestAgain(context: SessionContext, outcome: OfferOutcome): boolean {
  if (outcome.kind !== 'failed' || !isTransient(outcome.failure)) return false
  return outcome.failure.code !== 'rate-limited' && context.failures + 1 < LINK_ATTEMPTS
}

/** Gives up asking for a code. */
export function endRequest({ input }: SessionContext, outcome: OfferOutcome): Update {
  if (outcome.kind !== 'failed') return {}
  const { clock } = input()
  const waitMs = serverWaitMs(outcome.failure)
  return {
    ending: requestEnding(outcome.failure, waitMs, clock.epoch()),
    notBefore: clock.now() + waitMs,
  }
}

/** Whether the server refused a request, so that the same request would be refused again. */
export function isRefusal(outcome: PollOutcome | RenewOutcome): boolean {
  return outcome.kind === 'failed' && !isTransient(outcome.failure)
}

/** How long the server asked for no further request, in milliseconds. */
function serverWaitMs(failure: ApiFailure): number {
  const wanted = 'retryAfterMs' in failure ? failure.retryAfterMs : undefined
  const otherwise = failure.code === 'rate-limited' ? RATE_LIMIT_MS : 0
  return Math.min(clampDelay(wanted ?? otherwise), LONGEST_WAIT_MS)
}

/** Whether another attempt may succeed. */
function isTransient({ code }: ApiFailure): boolean {
  switch (code) {
    case 'refused':
    case 'url-unusable':
      return false
    case 'network':
    case 'timeout':
    case 'aborted':
    case 'unavailable':
    case 'rate-limited':
    case 'unexpected-answer':
      return true
    default:
      return code satisfies never
  }
}
