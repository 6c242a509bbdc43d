import { assertOption } from '../../base/errors.js'
import { assertDuration } from '../../base/options.js'
import type { BackoffPolicy, CloseCodes } from '../../schemas/policy.js'
import { standardBackoff } from '../backoff.js'

/** How long a connection waits for what, in milliseconds. */
export interface ConnectionPolicy {
  /** From the start of an attempt until the socket is open, credentials, DNS and TLS included. */
  readonly connectTimeoutMs: number
  /** From one ping to the next, on a grid that starts when the connection opens. `Infinity`: no pings. */
  readonly pingIntervalMs: number
  /** From a ping until the connection counts as failed. */
  readonly pongTimeoutMs: number
  /** How long a connection must last before the count of attempts is reset. */
  readonly settleMs: number
  /** A pong timer that fires this much late shows that the client slept, not that the peer is silent. */
  readonly lateTimerMs: number
  /** Between two hurried attempts: those that a signal or `connect()` brings forward. */
  readonly hurryIntervalMs: number
  /** The largest random addition to the first wait after a server restart (1012). */
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

/** The options of a connection; each has a default. */
export type ConnectionOptions = Partial<Omit<ConnectionPolicy, 'closeCodes'>>

/**
 * Fills in the defaults of a policy and checks it.
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
    assertOption(durations[name] > 0, `${name} must be more than 0`)
  }
  return { ...durations, backoff, closeCodes: protocol.closeCodes }
}

type DurationName = keyof typeof standardDurations

/** Throws `option-invalid` unless a backoff is valid. */
function assertBackoff({ stepsMs, jitter, maxAttempts }: BackoffPolicy): void {
  const hasSteps = Array.isArray(stepsMs) && stepsMs.length > 0
  assertOption(hasSteps, 'backoff.stepsMs must hold at least one wait')
  for (const [at, step] of stepsMs.entries()) assertDuration(`backoff.stepsMs[${at}]`, step)
  const isKnown = ['full', 'none'].includes(jitter)
  assertOption(isKnown, "backoff.jitter must be 'full' or 'none'")
  const isCount = Number.isInteger(maxAttempts) || maxAttempts === Number.POSITIVE_INFINITY
  assertOption(
    isCount && maxAttempts >= 0,
    'backoff.maxAttempts must be a whole number or Infinity',
  )
}
