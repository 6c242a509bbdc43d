import type { Clock, Random } from '../../base/clock.js'
import type { ReportError } from '../../base/errors.js'
import { createCloseTable } from '../../transport/close-codes.js'
import type { EnvironmentSource } from '../../transport/environment.js'
import type { ConnectionFailure } from '../../transport/failure.js'
import type { Link, LinkEvent } from '../../transport/link.js'
import type { SignalEvent } from './actors.js'
import type { ConnectionPolicy } from './policy.js'
import { type AttemptHistory, type FinalError, freshHistory } from './verdict.js'

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
