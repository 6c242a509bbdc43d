import { DELAY, isDelay } from '../base/clock.js'
import { assertThat, type SyncErrorCode } from '../base/errors.js'
import type { BodyOf, MessageSchemas, TypeOf } from './schema.js'

/** What makes room for a message where there is none. */
export type WhenFull = 'refuse' | 'dropOldest'

/** What is special about a type of message while it waits. */
export interface OutboxRule<Payload> {
  /**
   * Names what the message is about: of those that wait with the same type and key only the
   * latest is sent, in its own place. What it throws is reported; the message then has no key.
   */
  readonly keepLatestBy?: (payload: Payload) => string
  /** How long it is worth sending, in milliseconds. Default: for ever. */
  readonly ttlMs?: number
  /** Larger ones go first. Default 0. */
  readonly priority?: number
  /** What becomes of it where there is no room. Default `refuse`. */
  readonly whenFull?: WhenFull
}

/** What is special about the types of a protocol while they wait. */
export type OutboxRules<S extends MessageSchemas> = {
  readonly [K in TypeOf<S>]?: OutboxRule<BodyOf<S[K]>>
}

/** What may be said about one message, over the rule of its type. */
export interface SendOptions {
  /** Takes the message back when aborted, as the receipt's `abort` does. */
  readonly signal?: AbortSignal
  /** How long it is worth sending, in milliseconds. */
  readonly ttlMs?: number
  /** Larger ones go first. */
  readonly priority?: number
}

/**
 * Throws unless a rule makes sense.
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
