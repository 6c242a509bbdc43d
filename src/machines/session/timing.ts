import { assertOption } from '../../base/errors.js'
import type { BackoffPolicy } from '../../schemas/policy.js'
import { standardBackoff } from '../backoff.js'
import { assertDuration, assertWholeNumber } from '../../base/options.js'
import { assertBackoff } from '../connection/policy.js'

/** The durations of a session, in milliseconds. */
export interface SessionTiming {
  /** The time between two questions whether the code was confirmed. Default 1,000. */
  readonly pollIntervalMs: number
  /** How long before it expires an access token is renewed; at most half its life. Default 300,000. */
  readonly renewAheadMs: number
  /** A random part of this is added, so that tabs do not renew at the same time. Default 60,000. */
  readonly renewSpreadMs: number
  /** The number of attempts to get a code, before the server counts as unreachable. Default 3. */
  readonly linkAttempts: number
  /** How long to wait after status 429 without Retry-After. Default 60,000. */
  readonly rateLimitMs: number
  /** The longest wait that a server can ask for. Default 3,600,000. */
  readonly longestWaitMs: number
  /** The waits between attempts to get a code, and to renew a token. `maxAttempts` is not used. */
  readonly backoff: BackoffPolicy
}

/** The default timing. */
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
 * @throws SyncError `option-invalid`; the message names the option.
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
  assertOption(timing.pollIntervalMs >= 1, 'timing.pollIntervalMs must be at least 1')
  assertWholeNumber('timing.linkAttempts', timing.linkAttempts)
  return timing
}
