import { type Clock, clampDelay, type Random } from '../../base/clock.js'
import type { ReportError } from '../../base/errors.js'
import { createCloseTable } from '../../transport/close-codes.js'
import type { EnvironmentSource } from '../../transport/environment.js'
import type { ConnectionFailure } from '../../transport/failure.js'
import type { Link, LinkEvent } from '../../transport/link.js'
import { waitBeforeAttempt } from '../backoff.js'
import type { SignalEvent } from './actors.js'
import type { ConnectionPolicy } from './policy.js'
import { type AttemptHistory, decide, type FinalError, freshHistory } from './verdict.js'

/** What the connection machine needs. */
export interface ConnectionInput {
  readonly policy: ConnectionPolicy
  readonly link: Link
  readonly environment: EnvironmentSource
  readonly clock: Clock
  readonly random: Random
  /** Receives errors of the environment source and of the protocol's close codes. */
  readonly report: ReportError
}

/** A command to a connection. */
export type ConnectionCommand =
  | { readonly type: 'connect' }
  | { readonly type: 'disconnect' }
  /** The target has changed: connect to it now. */
  | { readonly type: 'reconnect' }

/** Everything a connection hears. */
export type ConnectionEvent = ConnectionCommand | LinkEvent | SignalEvent

/** The connection machine's memory. Times ending in `At` are monotonic milliseconds. */
export interface ConnectionContext extends ConnectionInput {
  /** The current attempt; events of another generation are ignored. */
  readonly generation: number
  readonly history: AttemptHistory
  /** When the last hurried attempt began. */
  readonly hurriedAt: number
  /** When the next attempt is due. */
  readonly retryAt: number
  /** The same time in milliseconds since the epoch, for people. */
  readonly retryEpochMs: number
  /** The server asked for no attempt before this; a signal does not bring one forward further. */
  readonly notBefore: number
  readonly failure: ConnectionFailure | undefined
  readonly error: FinalError | undefined
  /** When the connection opened, in milliseconds since the epoch. */
  readonly openedEpochMs: number
  readonly nextPingAt: number
  readonly pongDueAt: number
  /** How many times in a row the pong timer fired late. */
  readonly lateTimers: number
}

/** Makes the memory of a connection before its first command. */
export function createContext(input: ConnectionInput): ConnectionContext {
  const { policy, report } = input
  return {
    ...input,
    policy: { ...policy, closeCodes: createCloseTable(policy.closeCodes, report) },
    generation: 0,
    history: freshHistory,
    hurriedAt: Number.NEGATIVE_INFINITY,
    retryAt: 0,
    retryEpochMs: 0,
    notBefore: 0,
    failure: undefined,
    error: undefined,
    openedEpochMs: 0,
    nextPingAt: 0,
    pongDueAt: 0,
    lateTimers: 0,
  }
}

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
