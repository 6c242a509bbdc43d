import type { SessionContext } from './context.js'
import type { OfferOutcome, PollOutcome } from './ports.js'
import { serverWaitMs } from './retry.js'

// A code that is shown: when it expires, and when to ask the server about it.

/** Shows a code. The questions about it are on a grid that begins now. */
export function applyOffer(
  { input }: SessionContext,
  outcome: OfferOutcome,
): Partial<SessionContext> {
  if (outcome.kind !== 'offered') return {}
  const now = input().clock.now()
  return { offer: outcome.offer, trouble: undefined, pollAt: now, notBefore: now }
}

/** Notes an answer that decides nothing. */
export function notePoll({ input }: SessionContext, outcome: PollOutcome): Partial<SessionContext> {
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
