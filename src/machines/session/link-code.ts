import type { SessionContext } from './context.js'
import type { OfferOutcome, PollOutcome } from './ports.js'
import { serverWaitMs } from './retry.js'

// A code that is shown: when it expires, and when to ask the server about it.

/** Shows a code. The questions about it are on a grid that begins now. */
export function applyOffer(
  { parts: { clock } }: SessionContext,
  outcome: OfferOutcome,
): Partial<SessionContext> {
  if (outcome.kind !== 'offered') return {}
  return { offer: outcome.offer, trouble: undefined, pollAt: clock.now(), notBefore: clock.now() }
}

/** Notes an answer that decides nothing. */
export function notePoll(
  { parts: { clock, timing } }: SessionContext,
  outcome: PollOutcome,
): Partial<SessionContext> {
  if (outcome.kind !== 'failed') return { trouble: undefined }
  const { failure } = outcome
  return { trouble: failure.message, notBefore: clock.now() + serverWaitMs(failure, timing) }
}

/** When to ask next: at the next point of the grid, or later if the server asked to wait. */
export function nextPollAt({ pollAt, notBefore, parts }: SessionContext): number {
  const { pollIntervalMs } = parts.timing
  const passed = Math.max(0, Math.floor((parts.clock.now() - pollAt) / pollIntervalMs))
  return Math.max(pollAt + (passed + 1) * pollIntervalMs, notBefore)
}

/** Whether the next question would come too late to matter. */
export function isPollTooLate({ offer, pollAt, parts }: SessionContext): boolean {
  // The server's clock decides, so there is one question after the code expired by ours.
  return offer === undefined || pollAt > offer.endsAt + parts.timing.pollIntervalMs
}

/** When the code expires. */
export function codeEndsAt({ offer }: SessionContext): number {
  return offer?.endsAt ?? 0
}

/** Whole seconds until the code expires, rounded up. */
export function secondsLeft(context: SessionContext): number {
  const leftMs = codeEndsAt(context) - context.parts.clock.now()
  return Math.max(0, Math.ceil(leftMs / 1_000))
}
