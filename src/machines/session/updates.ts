import { clampDelay } from '../../base/clock.js'
import { waitBeforeAttempt } from '../backoff.js'
import type { SessionContext } from './context.js'
import { requestEnding } from './endings.js'
import type { ApiFailure, Grant, OfferOutcome, PollOutcome, RenewOutcome } from './ports.js'
import type { SessionTiming } from './timing.js'

// How outcomes and time change the machine's memory. An update that does not expect an outcome of
// this kind changes nothing: the guard before it rules that kind out.

type Update = Partial<SessionContext>

// A server in trouble gets at most one request a second, however many callers want a token.
const SOONEST_RETRY_MS = 1_000

/** Signs the user of a grant in, and schedules the renewal. */
export function applyGrant({ input }: SessionContext, grant: Grant): Update & { renewAt: number } {
  const { random, timing } = input()
  const lifeMs = grant.expiresAt - grant.obtainedAt
  const aheadMs = timing.renewAheadMs + random() * timing.renewSpreadMs
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
  const { clock, timing } = input()
  const { failure } = outcome
  return { trouble: failure.message, notBefore: clock.now() + serverWaitMs(failure, timing) }
}

/** When to ask next: at the next point of the grid, or later if the server asked to wait. */
export function nextPollAt({ pollAt, notBefore, input }: SessionContext): number {
  const { clock, timing } = input()
  const { pollIntervalMs } = timing
  const passed = Math.max(0, Math.floor((clock.now() - pollAt) / pollIntervalMs))
  return Math.max(pollAt + (passed + 1) * pollIntervalMs, notBefore)
}

/** Whether the next question would come too late to matter. */
export function isPollTooLate({ offer, pollAt, input }: SessionContext): boolean {
  // The server's clock decides, so there is one question after the code expired by ours.
  return offer === undefined || pollAt > offer.endsAt + input().timing.pollIntervalMs
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
export function mayRequestAgain(context: SessionContext, outcome: OfferOutcome): boolean {
  if (outcome.kind !== 'failed' || !isTransient(outcome.failure)) return false
  const { linkAttempts } = context.input().timing
  return outcome.failure.code !== 'rate-limited' && context.failures + 1 < linkAttempts
}

/** Gives up asking for a code. */
export function endRequest({ input }: SessionContext, outcome: OfferOutcome): Update {
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
function serverWaitMs(failure: ApiFailure, { rateLimitMs, longestWaitMs }: SessionTiming): number {
  const wanted = 'retryAfterMs' in failure ? failure.retryAfterMs : undefined
  const otherwise = failure.code === 'rate-limited' ? rateLimitMs : 0
  return Math.min(clampDelay(wanted ?? otherwise), longestWaitMs)
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
