import { randomBytes } from 'node:crypto'
import type { Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { type Clock, createSystemClock } from '../base/clock.js'
import { assertOption, type ReportError } from '../base/errors.js'
import type { Logger } from '../base/log.js'
import type { UncheckedDefinition } from '../schemas/coordinator.js'
import type { Protocol } from '../schemas/protocol.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Authentication, UpgradeRequest } from '../schemas/protocol.js'
import type { AnyIncomingMessage, ConnectedClient, IncomingHandlers, SocketEnd } from './client.js'
import { resolveDeliveryOptions, type ServerDeliveryOptions } from './delivery/options.js'
import { Reporting } from './reporting.js'
import { createCounters } from './stats.js'

/** What a server needs to know of a protocol. Every `Protocol` fits. */
export type ServedProtocol<R extends MessageSchemas, S extends MessageSchemas> = Pick<
  Protocol<R, S>,
  'receive' | 'send' | 'envelope' | 'heartbeat' | 'server'
> & {
  /** With delivery, its checkpoint gives newcomers the state. */
  readonly coordinator?: UncheckedDefinition | undefined
}

/** What an `authenticate` function is given beside the request. */
export interface AuthenticationContext {
  /** Aborted when the answer is no longer needed: the client left, time is up, or the server closes. */
  readonly signal: AbortSignal
  /** The protocol's own answer to the request, for a function that extends it. */
  readonly byProtocol: () => Authentication
}

/** Says who connects, or with which close code to refuse the client. */
export type Authenticate = (
  request: UpgradeRequest,
  context: AuthenticationContext,
) => Authentication | Promise<Authentication>

/** Options of {@link createSyncServer}. */
export interface SyncServerOptions<R extends MessageSchemas, S extends MessageSchemas> {
  /** The messages. `receive` is what clients receive, so what this server sends. */
  readonly protocol: ServedProtocol<R, S>
  /**
   * The HTTP server whose upgrades on `path` this server handles. Without it, call `listen` or
   * `handleUpgrade`.
   */
  readonly server?: HttpServer | HttpsServer
  /** Default `/ws`. */
  readonly path?: string
  /** Says who connects. Default: the protocol's own rule; one of the two is required. */
  readonly authenticate?: Authenticate
  /** How long `authenticate` may take, in milliseconds. Default 5,000. */
  readonly authenticateTimeoutMs?: number
  /**
   * Origins that a browser may connect from, for example `https://kullai.com`, or a function that
   * decides. A request without an origin does not come from a web page and is allowed.
   * Default: any.
   */
  readonly allowedOrigins?: readonly string[] | ((origin: string) => boolean)
  /** A larger message closes the socket with 1009. Default 1 MiB. */
  readonly maxMessageBytes?: number
  /** A socket whose unsent backlog is larger is closed with 1013. Default 4 MiB. */
  readonly maxBufferedBytes?: number
  /** Time between pings at the WebSocket level; `false`: none. Default 30,000. */
  readonly keepAliveMs?: number | false
  /**
   * Compresses messages, which costs 20 times the CPU and up to 240 kB of memory a socket. Default
   * `false`.
   */
  readonly perMessageDeflate?: boolean
  /** Handlers for messages of clients, by type. They run after the protocol's relay. */
  readonly on?: IncomingHandlers<R, S>
  /** Handles every valid message of a client, of any type, after the handler of its type. */
  readonly onMessage?: (message: AnyIncomingMessage<R, S>) => unknown
  /** A socket was authenticated. Its `DEVICE_CONNECTED` was sent; none of its messages was read. */
  readonly onConnected?: (client: ConnectedClient<R>) => unknown
  /** An authenticated socket closed. */
  readonly onDisconnected?: (client: ConnectedClient<R>, end: SocketEnd) => unknown
  /** Receives what user code threw, and other failures. Default: they are dropped. */
  readonly onError?: ReportError
  /** Receives log entries. Default: they are dropped. */
  readonly log?: Logger
  /**
   * Numbers what goes to all of a user's devices and acknowledges what clients send, for clients
   * that ask for it: see docs/protocol.md. Default: no delivery.
   */
  readonly delivery?: ServerDeliveryOptions<R, S>
  /** Closes the server when aborted, as `close()` does. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
  /** Makes the random part of device ids that the protocol invents. Default: 8 hex digits. */
  readonly makeId?: () => string
}

/** What the parts of a server share: its options with defaults filled in, counters, reporting. */
export type ServerContext<R extends MessageSchemas, S extends MessageSchemas> = ReturnType<
  typeof createServerContext<R, S>
>

/** What of it does not depend on the messages of the protocol. */
export type UntypedServerContext = Omit<
  ServerContext<never, never>,
  'protocol' | 'on' | 'onMessage' | 'onConnected' | 'onDisconnected' | 'delivery'
>

/**
 * Checks options and fills in defaults.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function createServerContext<R extends MessageSchemas, S extends MessageSchemas>(
  options: SyncServerOptions<R, S>,
) {
  const { protocol, path = '/ws', keepAliveMs = 30_000 } = options
  const clock = options.clock ?? createSystemClock()
  assertOption(/^\/[^?#]*$/.test(path), 'path must start with "/" and contain neither "?" nor "#"')
  assertOption(
    options.authenticate !== undefined || protocol.server !== undefined,
    'authenticate is required, since the protocol does not say who connects',
  )
  for (const type of Object.keys(options.on ?? {})) {
    assertOption(Object.hasOwn(protocol.send, type), `on: no client sends "${type}"`)
  }
  return {
    ...options,
    path,
    clock,
    authenticate: options.authenticate ?? ((_request, { byProtocol }) => byProtocol()),
    authenticateTimeoutMs: positive('authenticateTimeoutMs', options.authenticateTimeoutMs, 5_000),
    maxMessageBytes: positive('maxMessageBytes', options.maxMessageBytes, 2 ** 20),
    maxBufferedBytes: positive('maxBufferedBytes', options.maxBufferedBytes, 2 ** 22),
    keepAliveMs: keepAliveMs === false ? (false as const) : positive('keepAliveMs', keepAliveMs, 0),
    perMessageDeflate: options.perMessageDeflate ?? false,
    delivery: options.delivery && resolveDeliveryOptions(options.delivery),
    makeId: options.makeId ?? (() => randomBytes(4).toString('hex')),
    /** How messages to clients are sealed. */
    envelope: protocol.envelope.toClient,
    counters: createCounters(),
    reporting: new Reporting(options.onError, options.log, clock),
  }
}

function positive(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  const isPositive = Number.isFinite(value) && value > 0
  assertOption(isPositive, `${option} must be a positive number, not ${value}`)
  return value
}
