import { SyncError } from '../../base/errors.js'
import type { BackoffPolicy } from '../../schemas/policy.js'
import { standardBackoff } from '../backoff.js'
import { assertDuration, assertWholeNumber } from '../../base/options.js'
import { assertBackoff } from '../connection/policy.js'

/** Everything a session waits for and how long; durations in milliseconds. */
export interface SessionTiming {
  /** Between two questions whether the code was confirmed, on a grid. Default 1,000. */
  readonly pollIntervalMs: number
  /** How long before its end an access token is renewed; at most half its life. Default 300,000. */
  readonly renewAheadMs: number
  /** By how much more, at random, so that tabs do not renew all at once. Default 60,000. */
  readonly renewSpreadMs: number
  /** How often to try to get a code, before the user is told that the server cannot be reached. Default 3. */
  readonly linkAttempts: number
  /** How long to stay away from a server that says 429 and no more. Default 60,000. */
  readonly rateLimitMs: number
  /** The longest that a server may ask for. Default 3,600,000. */
  readonly longestWaitMs: number
  /** Waits between attempts to get a code, and to renew a token; its `maxAttempts` is not used. */
  readonly backoff: BackoffPolicy
}

/** The standard timing. */
export const standardSessionTiming: SessionTiming = {
  pollIntervalMs: 1_000,
  renewAheadMs: 300_000,
  renewSpreadMs: 60_000,
  linkAttempts: 3,
  rateLimitMs: 60_000,
  longestWaitMs: 3_600_000,
  backoff: standardBackoff,
}

/**
 * Completes and checks a timing.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function createSessionTiming(options: Partial<SessionTiming> = {}): SessionTiming {
  const timing = { ...standardSessionTiming, ...options }
  const durations = [
    'pollIntervalMs',
    'renewAheadMs',
    'renewSpreadMs',
    'rateLimitMs',
    'longestWaitMs',
  ] as const
  for (const name of durations) assertDuration(`timing.${name}`, timing[name])
  assertBackoff(timing.backoff)
  if (timing.pollIntervalMs < 1) {
    throw new SyncError('option-invalid', 'timing.pollIntervalMs must be at least 1')
  }
  assertWholeNumber('timing.linkAttempts', timing.linkAttempts)
  return timing
}
