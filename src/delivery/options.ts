import { assertThat } from '../base/errors.js'
import { assertDuration, assertOptionalFunction, assertWholeNumber } from '../base/options.js'
import type { DeliveryPolicy } from '../machines/delivery/machine.js'
import type { OutboxLimits } from './queue.js'
import type { OutboxStore } from './store/outbox-store.js'
import { createUuid } from '../base/uuid.js'

/** Options of `createDelivery`. */
export interface DeliveryOptions {
  /**
   * Opens the storage of an outbox, so that what waits survives a crash or a reload. Default:
   * memory. Called once for each key.
   */
  readonly store?: (key: string) => OutboxStore
  /**
   * Names the outbox that messages go into: by server, user and device, where any of them can
   * change. Asked at `start`, `connect` and `reconnect`, and with each attempt; each key has
   * an outbox of its own, and what waits in the others stays there. Default: one outbox.
   */
  readonly key?: () => string
  /** How many messages an outbox holds. Default 1,000. */
  readonly maxMessages?: number
  /** How many bytes an outbox holds, counted as on the wire. Default 1 MiB. */
  readonly maxBytes?: number
  /** Most messages on their way unacknowledged; the server may set less. Default 256. */
  readonly window?: number
  /** How long a server has to greet before it is taken for a plain one, in ms. Default 2,000. */
  readonly greetingMs?: number
  /** How long a server has for an answer before the connection is given up, in ms. Default 15,000. */
  readonly answerTimeoutMs?: number
  /** Makes ids of messages and outboxes: unique everywhere. Default: random UUIDs. */
  readonly makeId?: () => string
}

/** Options with everything filled in and checked. */
export interface ResolvedDelivery {
  readonly openStore: ((key: string) => OutboxStore) | undefined
  readonly key: () => string
  readonly limits: OutboxLimits
  readonly window: number
  readonly policy: DeliveryPolicy
  readonly makeId: () => string
}

/**
 * Fills in defaults and refuses what makes no sense.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function resolveDelivery(options: DeliveryOptions): ResolvedDelivery {
  const { greetingMs = 2_000, answerTimeoutMs = 15_000 } = options
  assertDuration('delivery.greetingMs', greetingMs)
  assertDuration('delivery.answerTimeoutMs', answerTimeoutMs)
  assertThat(answerTimeoutMs > 0, 'option-invalid', 'delivery.answerTimeoutMs must be more than 0')
  for (const name of ['store', 'key', 'makeId'] as const) {
    assertOptionalFunction(`delivery.${name}`, options[name])
  }
  return {
    openStore: options.store,
    key: options.key ?? (() => 'default'),
    limits: {
      maxMessages: wholeNumber('maxMessages', options.maxMessages, 1_000),
      maxBytes: wholeNumber('maxBytes', options.maxBytes, 2 ** 20),
    },
    window: wholeNumber('window', options.window, 256),
    policy: { greetingMs, answerTimeoutMs, lateTimerMs: 1_000 },
    makeId: options.makeId ?? createUuid,
  }
}

function wholeNumber(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  assertWholeNumber(`delivery.${name}`, value)
  return value
}
