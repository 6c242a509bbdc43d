import { DELAY, isDelay } from '../base/clock.js'
import { assertThat, type SyncErrorCode } from '../base/errors.js'
import type { BodyOf, MessageSchemas, TypeOf } from './schema.js'

/** What happens where the outbox has no room for a message. */
export type WhenFull = 'refuse' | 'dropOldest'

/** How the outbox treats the messages of a type. */
export interface OutboxRule<Payload> {
  /**
   * Names what the message is about. Of the waiting messages with the same type and key only the
   * latest is sent, in its own place. An error is reported; the message then has no key.
   */
  readonly keepLatestBy?: (payload: Payload) => string
  /** How long a message is worth sending, in milliseconds. Default: without end. */
  readonly ttlMs?: number
  /** Messages of a higher priority are sent first. Default 0. */
  readonly priority?: number
  /** What happens where there is no room: refuse the message, or drop the oldest. Default `refuse`. */
  readonly whenFull?: WhenFull
}

/** How the outbox treats the message types of a protocol. */
export type OutboxRules<S extends MessageSchemas> = {
  readonly [K in TypeOf<S>]?: OutboxRule<BodyOf<S[K]>>
}

/** Options of one message, which override the rule of its type. */
export interface SendOptions {
  /** When aborted, removes the message from the outbox, as the receipt's `abort` does. */
  readonly signal?: AbortSignal
  /** How long the message is worth sending, in milliseconds. */
  readonly ttlMs?: number
  /** Messages of a higher priority are sent first. */
  readonly priority?: number
}

/**
 * Throws unless a rule is valid.
 *
 * @throws SyncError with the code; the message names the part.
 */
export function assertOutboxRule(code: SyncErrorCode, name: string, rule: OutboxRule<never>): void {
  const { keepLatestBy, whenFull = 'refuse', ttlMs, priority } = rule
  const isNamer = keepLatestBy === undefined || typeof keepLatestBy === 'function'
  assertThat(isNamer, code, `${name}.keepLatestBy must be a function`)
  const isKnown = ['refuse', 'dropOldest'].includes(whenFull)
  assertThat(isKnown, code, `${name}.whenFull must be 'refuse' or 'dropOldest'`)
  assertThat(ttlMs === undefined || isDelay(ttlMs), code, `${name}.ttlMs must be ${DELAY}`)
  const isOrder = priority === undefined || Number.isFinite(priority)
  assertThat(isOrder, code, `${name}.priority must be a number`)
}
