import { clampDelay } from '../../base/clock.js'
import type { ConnectionFailure } from '../../transport/failure.js'
import { waitBeforeAttempt } from '../backoff.js'
import type { ConnectionContext, ConnectionEvent } from './context.js'
import { decide } from './verdict.js'

/** The changes to the memory after a failure that no attempt follows. */
export function noteFinalError(
  { history, policy }: ConnectionContext,
  failure: ConnectionFailure,
): Partial<ConnectionContext> {
  const decision = decide(history, failure, policy)
  return { failure, error: decision.next === 'fail' ? decision.error : undefined }
}

/** The changes to the memory after a failure that another attempt follows: when it is due, and why. */
export function scheduleRetry(
  context: ConnectionContext,
  failure: ConnectionFailure,
): Partial<ConnectionContext> {
  const { clock, policy, random } = context
  const decision = decide(context.history, failure, policy)
  if (decision.next === 'fail') return { failure }
  const step = waitBeforeAttempt(policy.backoff, decision.history.attempt, random)
  const spreadMs = decision.spread ? random() * policy.restartSpreadMs : 0
  const waitMs = clampDelay(Math.max(step, decision.minWaitMs) + spreadMs)
  const now = clock.now()
  return {
    history: decision.history,
    failure,
    retryAt: now + waitMs,
    retryEpochMs: clock.epoch() + waitMs,
    notBefore: now + decision.minWaitMs,
  }
}

/**
 * When the attempt would be due if this event brought it forward. `connect()` overrides the time
 * that the server asked the client to stay away; a signal of the environment does not.
 */
export function hurriedRetryAt(context: ConnectionContext, event: ConnectionEvent): number {
  const { clock, hurriedAt, notBefore, policy } = context
  const earliest = Math.max(clock.now(), hurriedAt + policy.hurryIntervalMs)
  return event.type === 'connect' ? earliest : Math.max(earliest, notBefore)
}

/** The changes to the memory when an attempt is brought forward. One that is due anyway is not hurried. */
export function bringForward(
  context: ConnectionContext,
  event: ConnectionEvent,
): Partial<ConnectionContext> {
  const { clock, history } = context
  const retryAt = hurriedRetryAt(context, event)
  return {
    history: { ...history, isHurried: history.isHurried || retryAt < context.retryAt },
    retryAt,
    retryEpochMs: clock.epoch() + (retryAt - clock.now()),
  }
}
