import type { SnapshotFrom } from 'xstate'
import type { ConnectionFailure } from '../../transport/failure.js'
import type { ConnectionMachine } from './machine.js'
import type { FinalError } from './verdict.js'

/** The public state of a connection. Times are milliseconds since the epoch. */
export type ConnectionStatus =
  | { readonly state: 'disconnected' }
  | { readonly state: 'connecting' }
  | { readonly state: 'connected'; readonly since: number }
  | {
      readonly state: 'reconnecting'
      /** 1 for the first attempt after the connection was lost. */
      readonly attempt: number
      /** The most attempts in a row; `Infinity` where there is no limit. */
      readonly maxAttempts: number
      /** When the attempt is due; `null` while it is being made. */
      readonly retryAt: number | null
      readonly cause: ConnectionFailure
    }
  | { readonly state: 'failed'; readonly error: FinalError }

/** Derives the public status from a snapshot of the connection machine. Every snapshot has one. */
export function getConnectionStatus(snapshot: SnapshotFrom<ConnectionMachine>): ConnectionStatus {
  const { context } = snapshot
  if (snapshot.matches('connecting')) return { state: 'connecting' }
  if (snapshot.matches('connected')) return { state: 'connected', since: context.openedEpochMs }
  if (snapshot.matches('reconnecting') && context.failure !== undefined) {
    return {
      state: 'reconnecting',
      attempt: context.history.attempt,
      maxAttempts: context.policy.backoff.maxAttempts,
      retryAt: snapshot.matches({ reconnecting: 'waiting' }) ? context.retryEpochMs : null,
      cause: context.failure,
    }
  }
  if (snapshot.matches('failed') && context.error !== undefined) {
    return { state: 'failed', error: context.error }
  }
  return { state: 'disconnected' }
}
