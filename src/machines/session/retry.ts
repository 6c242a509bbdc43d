import { clampDelay } from '../../base/clock.js'
import { waitBeforeAttempt } from '../backoff.js'
import type { SessionContext } from './context.js'
import { requestEnding } from './endings.js'
import type { ApiFailure, OfferOutcome, PollOutcome, RenewOutcome } from './ports.js'
import type { SessionTiming } from './timing.js'

// What to do after a request that failed.

/** A server in trouble gets at most one request a second, however many callers want a token. */
export const SOONEST_RETRY_MS = 1_000

/** Counts a failed request and schedules the next attempt. */
export function countFailure(
  context: SessionContext,
  outcome: OfferOutcome | RenewOutcome,
): Partial<SessionContext> {
  if (outcome.kind !== 'failed') return {}
  const { clock, random, timing } = context.input()
  const { failure } = outcome
  const failures = context.failures + 1
  const step = waitBeforeAttempt(timing.backoff, failures, random)
  const wanted = serverWaitMs(failure, timing)
  const now = clock.now()
  return {
    failures,
    refusals: isTransient(failure) ? 0 : context.refusals + 1,
    retryAt: now + Math.max(step, wanted),
    notBefore: now + Math.max(SOONEST_RETRY_MS, wanted),
  }
}

/** Whether to ask for a code once more. */
export function mayRequestAgain(
  { failures, input }: SessionContext,
  outcome: OfferOutcome,
): boolean {
  if (outcome.kind !== 'failed' || !isTransient(outcome.failure)) return false
  return outcome.failure.code !== 'rate-limited' && failures + 1 < input().timing.linkAttempts
}

/** Gives up asking for a code. */
export function endRequest(
  { input }: SessionContext,
  outcome: OfferOutcome,
): Partial<SessionContext> {
  if (outcome.kind !== 'failed') return {}
  const { clock, timing } = input()
  const waitMs = serverWaitMs(outcome.failure, timing)
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
export function serverWaitMs(failure: ApiFailure, timing: SessionTiming): number {
  const wanted =
    failure.code === 'rate-limited'
      ? (failure.retryAfterMs ?? timing.rateLimitMs)
      : failure.code === 'unavailable'
        ? (failure.retryAfterMs ?? 0)
        : 0
  return Math.min(clampDelay(wanted), timing.longestWaitMs)
}

// Whether another attempt may succeed.
function isTransient(failure: ApiFailure): boolean {
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
