import { assertThat } from '../base/errors.js'
import { assertDuration, assertOptionalFunction, assertWholeNumber } from '../base/options.js'
import { createUuid } from '../base/uuid.js'
import type { OutboxStore } from './store/outbox-store.js'

/** Options of `createDelivery`. */
export interface DeliveryOptions {
  /**
   * Opens the storage of an outbox, so that messages survive a crash or a reload. Called once for
   * each key. Default: memory.
   */
  readonly store?: (key: string) => OutboxStore
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

/** Options with everything filled in and checked. Without `store` messages are in memory. */
export type ResolvedDelivery = Required<Omit<DeliveryOptions, 'store'>> &
  Pick<DeliveryOptions, 'store'>

/**
 * Checks options and fills in defaults.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function resolveDelivery(options: DeliveryOptions): ResolvedDelivery {
  const { store, key = () => 'default', makeId = createUuid } = options
  const { greetingMs = 2_000, answerTimeoutMs = 15_000 } = options
  const { maxMessages = 1_000, maxBytes = 2 ** 20, window = 256 } = options
  assertDuration('delivery.greetingMs', greetingMs)
  assertDuration('delivery.answerTimeoutMs', answerTimeoutMs)
  assertThat(answerTimeoutMs > 0, 'option-invalid', 'delivery.answerTimeoutMs must be more than 0')
  const functions = { store, key, makeId }
  for (const [name, value] of Object.entries(functions)) {
    assertOptionalFunction(`delivery.${name}`, value)
  }
  const limits = { maxMessages, maxBytes, window }
  for (const [name, value] of Object.entries(limits)) assertWholeNumber(`delivery.${name}`, value)
  return { ...limits, greetingMs, answerTimeoutMs, key, makeId, ...(store && { store }) }
}
