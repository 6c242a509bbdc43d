import { assertThat } from '../../base/errors.js'
import { assertDuration } from '../../base/options.js'
import type { BackoffPolicy, CloseCodes } from '../../schemas/policy.js'
import { standardBackoff } from '../backoff.js'

/** Everything a connection waits for and how long; durations in milliseconds. */
export interface ConnectionPolicy {
  /** From the start of an attempt until the socket is open; credentials, DNS and TLS included. */
  readonly connectTimeoutMs: number
  /** Between pings, on a grid that starts when the connection opens. `Infinity`: none. */
  readonly pingIntervalMs: number
  /** From a ping until the connection is given up. */
  readonly pongTimeoutMs: number
  /** How long a connection must have lasted for the count of attempts to start afresh. */
  readonly settleMs: number
  /** A timer that fires this much late tells of a sleep, not of a silent peer. */
  readonly lateTimerMs: number
  /** Attempts brought forward by a signal or `connect()` are at least this far apart. */
  readonly hurryIntervalMs: number
  /** The first wait after a server restart (1012) is longer by up to this much, at random. */
  readonly restartSpreadMs: number
  readonly backoff: BackoffPolicy
  /** Close codes with a meaning of their own. */
  readonly closeCodes: CloseCodes | undefined
}

/** Durations that can be set, with their defaults. */
export const standardDurations = {
  connectTimeoutMs: 10_000,
  pingIntervalMs: 30_000,
  pongTimeoutMs: 10_000,
  settleMs: 10_000,
  lateTimerMs: 1_000,
  hurryIntervalMs: 1_000,
  restartSpreadMs: 30_000,
} as const

/** What of a policy may be given. */
export type ConnectionOptions = Partial<Omit<ConnectionPolicy, 'closeCodes'>>

/**
 * Completes and checks a policy.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function createConnectionPolicy(
  options: ConnectionOptions = {},
  protocol: {
    readonly backoff?: BackoffPolicy | undefined
    readonly closeCodes?: CloseCodes | undefined
  } = {},
): ConnectionPolicy {
  const backoff = options.backoff ?? protocol.backoff ?? standardBackoff
  assertBackoff(backoff)
  const durations: Record<DurationName, number> = { ...standardDurations }
  for (const name of Object.keys(durations) as DurationName[]) {
    const { [name]: value = durations[name] } = options
    assertDuration(name, value, { mayBeInfinite: name === 'pingIntervalMs' })
    durations[name] = value
  }
  for (const name of ['connectTimeoutMs', 'pingIntervalMs', 'pongTimeoutMs'] as const) {
    assertThat(durations[name] > 0, 'option-invalid', `${name} must be more than 0`)
  }
  return { ...durations, backoff, closeCodes: protocol.closeCodes }
}

type DurationName = keyof typeof standardDurations

/** Throws `option-invalid` unless the waits are ones that timers can take. */
export function assertBackoff({ stepsMs, jitter, maxAttempts }: BackoffPolicy): void {
  const hasSteps = Array.isArray(stepsMs) && stepsMs.length > 0
  assertThat(hasSteps, 'option-invalid', 'backoff.stepsMs must hold at least one wait')
  for (const [at, step] of stepsMs.entries()) assertDuration(`backoff.stepsMs[${at}]`, step)
  const isKnown = ['full', 'none'].includes(jitter)
  assertThat(isKnown, 'option-invalid', "backoff.jitter must be 'full' or 'none'")
  const isCount = Number.isInteger(maxAttempts) || maxAttempts === Number.POSITIVE_INFINITY
  assertThat(
    isCount && maxAttempts >= 0,
    'option-invalid',
    'backoff.maxAttempts must be a whole number or Infinity',
  )
}
