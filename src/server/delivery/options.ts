import { DELAY, isDelay, type Random } from '../../base/clock.js'
import type { MessageSchemas } from '../../schemas/schema.js'
import type { AnyIncomingMessage } from '../client.js'
import type { DeliveryLog } from '../log/delivery-log.js'
import { createMemoryLog } from '../log/memory-log.js'
import { optionError } from '../option-error.js'

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
  /** Makes the epochs of the default log. Default: a UUID. */
  readonly makeEpoch?: () => string
}

/** {@link ServerDeliveryOptions} with defaults filled in. */
export type ResolvedDeliveryOptions = Omit<
  Required<ServerDeliveryOptions<MessageSchemas, MessageSchemas>>,
  'accept' | 'makeEpoch'
> & {
  /** Typed by the protocol, for which the delivery itself has no type. */
  readonly accept:
    | ((message: never) => MessageRefusal | undefined | PromiseLike<MessageRefusal | undefined>)
    | undefined
}

/**
 * Fills in defaults.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function resolveDeliveryOptions<R extends MessageSchemas, S extends MessageSchemas>(
  options: ServerDeliveryOptions<R, S>,
): ResolvedDeliveryOptions {
  const { makeEpoch, log = createMemoryLog(makeEpoch === undefined ? {} : { makeEpoch }) } = options
  if (typeof log.open !== 'function' || typeof log.commit !== 'function') {
    throw optionError('delivery.log', 'must have open and commit')
  }
  for (const name of ['accept', 'random', 'makeEpoch'] as const) {
    const given: unknown = options[name]
    if (given !== undefined && typeof given !== 'function') {
      throw optionError(`delivery.${name}`, 'must be a function')
    }
  }
  const drainSpreadMs = options.drainSpreadMs ?? 10_000
  if (!isDelay(drainSpreadMs)) throw optionError('delivery.drainSpreadMs', `must be ${DELAY}`)
  const idleMs = options.idleMs ?? 30_000
  if (!isDelay(idleMs) || idleMs === 0)
    throw optionError('delivery.idleMs', `must be ${DELAY}, and not 0`)
  return {
    log,
    maxEntries: whole('maxEntries', options.maxEntries, 10_000),
    maxLogBytes: whole('maxLogBytes', options.maxLogBytes, 2 ** 24),
    maxClients: whole('maxClients', options.maxClients, 1_000),
    window: whole('window', options.window, 256),
    highWaterBytes: whole('highWaterBytes', options.highWaterBytes, 2 ** 18),
    idleMs,
    drainSpreadMs,
    accept: options.accept,
    random: options.random ?? Math.random,
  }
}

function whole(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (Number.isSafeInteger(value) && value > 0) return value
  throw optionError(`delivery.${option}`, `must be a whole number above 0, not ${value}`)
}
