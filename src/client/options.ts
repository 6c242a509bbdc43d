import type { InspectionEvent } from 'xstate'
import { type Clock, createSystemClock, type Random } from '../base/clock.js'
import { assertOption, type ReportError } from '../base/errors.js'
import {
  assertDuration,
  assertOptionalFunction,
  assertWholeNumber,
  type EventObserver,
  guardInspector,
  guardReport,
} from '../base/options.js'
import { type ConnectionOptions, createConnectionPolicy } from '../machines/connection/policy.js'
import type { LoadSnapshot } from '../machines/coordinator/actors.js'
import type { Protocol } from '../schemas/protocol.js'
import type { CompileSchema, Schema } from '../schemas/schema.js'
import { type BatchScheduler, microtaskBatches } from '../streams/batching.js'
import type { EnvironmentSource } from '../transport/environment.js'
import { createPlatformEnvironment } from '../transport/environment.js'
import { parseAddress, type Provider } from '../transport/target.js'
import type { Transport } from '../transport/transport.js'
import { createWebSocketTransport } from '../transport/websocket.js'
import type { Delivery } from '../delivery/port.js'
import type { Logger } from '../base/log.js'

/** Options of `createSyncClient` that do not depend on the protocol. */
export interface CommonOptions extends ConnectionOptions {
  /**
   * Where to connect: `ws:`, `wss:`, `http:` or `https:`; in a page it may be relative. A function
   * is called for each attempt, and may be asynchronous; a rejection is a failed attempt.
   */
  readonly url: Provider<string | URL>
  /** Loads the state that messages alone do not give: at start and after each reconnect. */
  readonly loadSnapshot?: LoadSnapshot
  /**
   * `createDelivery()` of `statewire/delivery`: messages wait while there is no connection, and a
   * server that has delivery acknowledges them. Default: a message is sent at once or not at all.
   */
  readonly delivery?: Delivery
  /** Receives what handlers, folds, providers and loggers throw. Default: it is ignored. */
  readonly onError?: ReportError
  /** Receives log entries. Default: none are made. */
  readonly log?: Logger
  /** An XState inspector. */
  readonly inspect?: Inspect
  /** Disposes the client when aborted. */
  readonly signal?: AbortSignal
  /** Makes validation faster, where `eval` is allowed: zod's `compile`. */
  readonly compile?: CompileSchema
  /** When a batch of messages is published. Default: at the end of the microtask. */
  readonly batches?: BatchScheduler
  /** Largest message accepted, in bytes. Default 16 MiB. */
  readonly maxMessageBytes?: number
  /** Most bytes that the socket may buffer before `send` gives `full`. Default 16 MiB. */
  readonly maxBufferedBytes?: number
  /** How long a closing handshake may take before the socket is terminated, in ms. Default 2,000. */
  readonly closeTimeoutMs?: number
  /** Default: WebSocket. */
  readonly transport?: Transport
  /** Default: the platform's signals. */
  readonly environment?: EnvironmentSource
  /** Default: the system's. */
  readonly clock?: Clock
  /** Default: `Math.random`. */
  readonly random?: Random
}

/** The option `credentials`: required if the protocol has a rule for them, else forbidden. */
export type CredentialsOption<Credentials extends Schema> = Schema extends Credentials
  ? { readonly credentials?: never }
  : {
      /** A function is called for each attempt; a rejection is a failed attempt. */
      readonly credentials: Provider<Credentials['_zod']['input']>
    }

/** Options of `createSyncClient`. */
export type SyncOptions<Credentials extends Schema = Schema> = CommonOptions &
  CredentialsOption<Credentials>

/** Options of any protocol. */
export type UntypedOptions = CommonOptions & { readonly credentials?: unknown }

/** Options with everything filled in and checked. */
export type ResolvedOptions = ReturnType<typeof resolveOptions>

/** An XState inspector: a function, or an object with `next`, as Stately's gives it. */
export type Inspect = EventObserver<InspectionEvent>

const MOST_BYTES = 16 * 2 ** 20

/**
 * Checks options and fills in defaults.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function resolveOptions(
  protocol: Pick<Protocol, 'heartbeat' | 'backoff' | 'closeCodes'> & { credentials?: unknown },
  options: UntypedOptions,
) {
  const { url, credentials, onError, log, loadSnapshot, compile, delivery } = options
  const { random = Math.random, batches = microtaskBatches, closeTimeoutMs = 2_000 } = options
  const { maxMessageBytes = MOST_BYTES, maxBufferedBytes = MOST_BYTES } = options
  assertOption(
    typeof url === 'function' || parseAddress(url) !== undefined,
    'url is no WebSocket address (ws:, wss:, http:, https:)',
  )
  assertOption(
    protocol.credentials !== undefined || credentials === undefined,
    'credentials: the protocol has no rule for them',
  )
  const bytes = { maxMessageBytes, maxBufferedBytes }
  for (const [name, value] of Object.entries(bytes)) assertWholeNumber(name, value, 'bytes')
  assertDuration('closeTimeoutMs', closeTimeoutMs)
  const functions = { onError, log, loadSnapshot, compile, batches }
  for (const [name, value] of Object.entries(functions)) assertOptionalFunction(name, value)
  const isDelivery = delivery === undefined || typeof delivery.attach === 'function'
  assertOption(isDelivery, 'delivery must be what createDelivery gives')
  const clock = options.clock ?? createSystemClock()
  const timing = protocol.heartbeat === false ? { pingIntervalMs: Number.POSITIVE_INFINITY } : {}
  return {
    ...bytes,
    policy: createConnectionPolicy({ ...options, ...timing }, protocol),
    clock,
    random,
    transport: options.transport ?? createWebSocketTransport(),
    environment: options.environment ?? createPlatformEnvironment(clock),
    batches,
    report: guardReport(onError),
    inspect: guardInspector(options.inspect),
    closeTimeoutMs,
  }
}
