import type { Random } from '../../base/clock.js'
import { assertOption } from '../../base/errors.js'
import { assertDuration, assertOptionalFunction, assertWholeNumber } from '../../base/options.js'
import { isThenable } from '../../base/values.js'
import type { MessageSchemas } from '../../schemas/schema.js'
import type { AnyIncomingMessage } from '../client.js'
import type { DeliveryLog } from '../log/delivery-log.js'
import { createMemoryLog } from '../log/memory-log.js'

/** Why a message is refused. */
export interface MessageRefusal {
  /** A short code for the client's program; `SendOutcome` and `$nack` carry it. */
  readonly refuse: string
  /** Whether the client is to send it, and what follows it, again later. Default `false`. */
  readonly retry?: boolean
}

/** Options of a server's delivery. */
export interface ServerDeliveryOptions<R extends MessageSchemas, S extends MessageSchemas> {
  /** Where messages and marks are stored. Default: `createMemoryLog()`, which a restart loses. */
  readonly log?: DeliveryLog
  /** How many messages are stored of each user. Default 10,000. */
  readonly maxEntries?: number
  /** How many bytes of messages are stored of each user. Default 16 MiB. */
  readonly maxLogBytes?: number
  /**
   * How many outboxes of each user are remembered; of those that no connection sends from, the
   * least recently used are forgotten first. Default 1,000.
   */
  readonly maxClients?: number
  /** How many messages a client may have in flight unacknowledged. Default 256. */
  readonly window?: number
  /**
   * How often a connection that was sent everything is sent a `$ping`, in milliseconds. Default
   * 30,000.
   */
  readonly idleMs?: number
  /**
   * While a socket has a backlog of this many bytes, numbered messages to it wait. Default 256 KiB.
   */
  readonly highWaterBytes?: number
  /** The time over which clients come back after `close()`, in milliseconds. Default 10,000. */
  readonly drainSpreadMs?: number
  /**
   * Decides about each numbered message before it is written. `undefined` accepts it. If the
   * function throws, rejects or takes longer than 10 s, that is reported and the client sends the
   * message again. It may be asked again about a message that could not be written.
   */
  readonly accept?: (
    message: AnyIncomingMessage<R, S>,
  ) => MessageRefusal | undefined | PromiseLike<MessageRefusal | undefined>
  /** Spreads the clients of a closing server. Default `Math.random`. */
  readonly random?: Random
}

type Accept = (
  message: never,
) => MessageRefusal | undefined | PromiseLike<MessageRefusal | undefined>

/** {@link ServerDeliveryOptions} with defaults filled in. */
export type ResolvedDeliveryOptions = ReturnType<typeof resolveDeliveryOptions>

/**
 * Checks options and fills in defaults.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function resolveDeliveryOptions<R extends MessageSchemas, S extends MessageSchemas>(
  options: ServerDeliveryOptions<R, S>,
) {
  const { accept, random = Math.random, log = createMemoryLog() } = options
  assertOptionalFunction('delivery.accept', accept)
  assertOptionalFunction('delivery.random', random)
  const { drainSpreadMs = 10_000, idleMs = 30_000 } = options
  const { maxEntries = 10_000, maxLogBytes = 2 ** 24, maxClients = 1_000 } = options
  const { window = 256, highWaterBytes = 2 ** 18 } = options
  assertOption(!isThenable(log), 'delivery.log is a promise: await it first')
  const isLog = typeof log.open === 'function' && typeof log.commit === 'function'
  assertOption(isLog, 'delivery.log must have open and commit')
  assertDuration('delivery.drainSpreadMs', drainSpreadMs)
  assertDuration('delivery.idleMs', idleMs)
  assertOption(idleMs > 0, 'delivery.idleMs must be more than 0')
  const numbers = { maxEntries, maxLogBytes, maxClients, window, highWaterBytes }
  for (const [name, value] of Object.entries(numbers)) assertWholeNumber(`delivery.${name}`, value)
  return {
    ...numbers,
    log,
    idleMs,
    drainSpreadMs,
    random,
    /** Typed by the protocol, for which the delivery itself has no type. */
    accept: accept as Accept | undefined,
  }
}
