import { assertOption } from '../base/errors.js'
import { assertDuration, assertOptionalFunction, assertWholeNumber } from '../base/options.js'
import { createUuid } from '../base/uuid.js'
import type { Database } from '../database/database.js'

/** Options of `createDelivery`. */
export interface DeliveryOptions {
  /**
   * Where outboxes are stored, so that messages survive a crash or a reload. Default: memory. The
   * app closes it after the client was disposed.
   */
  readonly database?: Database
  /**
   * How long the owner of a shared outbox may leave another tab or process without an answer
   * before that one takes the outbox over, in ms. Default 5,000.
   */
  readonly leaseMs?: number
  /**
   * Names the outbox that messages go into: by server, user and device, if any of them can
   * change. Called at `start`, `connect` and `reconnect`, and with each attempt. Each key has an
   * outbox of its own; the messages of the others stay there. Default: one outbox.
   */
  readonly key?: () => string
  /** How many messages an outbox holds. Default 1,000. */
  readonly maxMessages?: number
  /** How many bytes an outbox holds, counted as on the wire. Default 1 MiB. */
  readonly maxBytes?: number
  /** Most messages that may be unacknowledged; the server may ask for fewer. Default 256. */
  readonly window?: number
  /** How long to wait for a greeting before the server counts as plain, in ms. Default 2,000. */
  readonly greetingMs?: number
  /** How long to wait for an answer before the connection is abandoned, in ms. Default 15,000. */
  readonly answerTimeoutMs?: number
  /** Makes the ids of messages and outboxes, which must be unique everywhere. Default: UUIDs. */
  readonly makeId?: () => string
}

/** Options with everything filled in and checked. Without `database` messages are in memory. */
export type ResolvedDelivery = Required<Omit<DeliveryOptions, 'database'>> &
  Pick<DeliveryOptions, 'database'>

/**
 * Checks options and fills in defaults.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function resolveDelivery(options: DeliveryOptions): ResolvedDelivery {
  const { database, key = () => 'default', makeId = createUuid } = options
  const { greetingMs = 2_000, answerTimeoutMs = 15_000, leaseMs = 5_000 } = options
  const { maxMessages = 1_000, maxBytes = 2 ** 20, window = 256 } = options
  assertDuration('delivery.greetingMs', greetingMs)
  assertDuration('delivery.answerTimeoutMs', answerTimeoutMs)
  assertDuration('delivery.leaseMs', leaseMs)
  for (const [name, value] of Object.entries({ answerTimeoutMs, leaseMs })) {
    assertOption(value > 0, `delivery.${name} must be more than 0`)
  }
  const isDatabase = database === undefined || typeof database.transact === 'function'
  assertOption(isDatabase, 'delivery.database must be a database')
  const functions = { key, makeId }
  for (const [name, value] of Object.entries(functions)) {
    assertOptionalFunction(`delivery.${name}`, value)
  }
  const limits = { maxMessages, maxBytes, window }
  for (const [name, value] of Object.entries(limits)) assertWholeNumber(`delivery.${name}`, value)
  const times = { greetingMs, answerTimeoutMs, leaseMs }
  return { ...limits, ...times, key, makeId, ...(database && { database }) }
}
